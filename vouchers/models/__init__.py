"""The tables of vouchers, benefits and subscriptions, by noun."""

from vouchers.models.benefit import Benefit, BenefitAllocation, BenefitUse
from vouchers.models.posting import Posting
from vouchers.models.subscription import Subscription, SubscriptionPlan
from vouchers.models.voucher import Voucher, VoucherStock, VoucherType, VoucherUse

__all__ = [
    "Benefit",
    "BenefitAllocation",
    "BenefitUse",
    "Posting",
    "Subscription",
    "SubscriptionPlan",
    "Voucher",
    "VoucherStock",
    "VoucherType",
    "VoucherUse",
]
