"""How tiers and the way to the next one are answered."""

from datetime import datetime

from ledger.queries.configuration import Configuration
from ledger.queries.tiers import Progress
from loyalty.api.fields import Answer, Money
from loyalty.money import places
from members.ladder import Measure


class ProgressAnswer(Answer, kw_only=True):
    """What is there towards the next tier, and what is missing; spend is money.

    `by` is the exclusive end of the window that counts; null where the window moves along. In the
    highest tier `next`, `need` and `missing` are null.
    """

    measure: str
    point_type: str | None
    have: int | Money
    next: str | None
    need: int | Money | None
    missing: int | Money | None
    by: datetime | None


def amount_answer(amount: int, measure: Measure, currency: str) -> int | Money:
    """Return an amount of the ladder's measure as it is answered."""
    if measure is not Measure.SPEND:
        return amount
    digits = places(currency)
    if not digits:
        return Money(amount=str(amount), currency=currency)
    text = str(abs(amount)).rjust(digits + 1, "0")
    sign = "-" if amount < 0 else ""
    return Money(amount=f"{sign}{text[:-digits]}.{text[-digits:]}", currency=currency)


def progress_answer(progress: Progress | None, settings: Configuration) -> ProgressAnswer | None:
    """Return a member's progress as it is answered; null where there is no ladder."""
    if progress is None:
        return None

    def told(amount: int | None) -> int | Money | None:
        if amount is None:
            return None
        return amount_answer(amount, progress.measure, settings.currency)

    have = told(progress.have)
    assert have is not None
    return ProgressAnswer(
        measure=str(progress.measure),
        point_type=progress.point_type,
        have=have,
        next=progress.next,
        need=told(progress.need),
        missing=told(progress.missing),
        by=progress.by,
    )
