"""The back office's pages of vouchers, benefits and subscriptions, by noun."""

from vouchers.admin import benefit, subscription, voucher

__all__ = ["benefit", "subscription", "voucher"]
