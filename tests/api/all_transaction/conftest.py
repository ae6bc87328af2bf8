"""What every call needs."""

from tests.api.all_transaction.calls import hold, sell, visit, voucher

__all__ = ["hold", "sell", "visit", "voucher"]
