"""A member's benefit as it is answered."""

from datetime import datetime

from loyalty.api.fields import Answer
from vouchers.queries.benefits import Entitlement


class BenefitAnswer(Answer, kw_only=True):
    """A benefit of a member. `left` is null where there is no quota."""

    code: str
    name: str
    sources: list[str]
    quota: int | None
    used: int
    left: int | None
    resets_at: datetime | None
    voucher_type: str | None


def benefit_answer(each: Entitlement) -> BenefitAnswer:
    """Return a member's benefit as it is answered."""
    benefit = each.benefit
    return BenefitAnswer(
        code=benefit.code,
        name=benefit.name,
        sources=each.sources,
        quota=benefit.quota,
        used=each.used,
        left=each.left,
        resets_at=each.resets_at,
        voucher_type=benefit.voucher_type.code if benefit.voucher_type else None,
    )
