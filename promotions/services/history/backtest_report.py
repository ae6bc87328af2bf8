"""The report of a trial, as its job keeps it: plain JSON, money as decimal text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from ledger.queries.configuration import Configuration
from loyalty.money import places
from promotions.engine.definition import Definition
from promotions.engine.tally import Row, Tally
from promotions.engine.trial import Demand, Pools


@dataclass(frozen=True, slots=True)
class Draft:
    """What was tried, on which period. `what` it gives: a point type, or VOUCHER and its code."""

    code: str
    number: int | None
    definition: Definition
    what: str
    begins: datetime
    ends: datetime
    settings: Configuration
    notes: list[str] = field(default_factory=list)


def report_of(
    draft: Draft, tally: Tally, demands: list[Demand], pools: list[Pools] | None
) -> dict[str, Any]:
    """Return what a trial found."""
    others = sorted(tally.others.items(), key=lambda each: (-each[1].together, each[0]))
    return {
        "promotion": draft.code,
        "version": draft.number,
        "name": draft.definition.name,
        "gives": draft.what,
        "from": draft.begins.isoformat(),
        "to": draft.ends.isoformat(),
        "currency": draft.settings.currency,
        "members": tally.members,
        "without_facts": tally.gone,
        "returned": tally.returned,
        "completed": tally.completed,
        "replaced": tally.replaced,
        "total": _row(tally.total, draft),
        "weeks": _rows(tally.weeks, draft),
        "tiers": _rows(tally.tiers, draft),
        "segments": _rows(tally.segments, draft),
        "others": [
            {
                "promotion": name.partition(" ")[0],
                "gives": name.partition(" ")[2],
                "together": other.together,
                "lost": other.lost,
                "before": other.before,
                "after": other.after,
            }
            for name, other in others
        ],
        "days": [[day, count] for day, count in sorted(tally.days.items())],
        "budget": _budget(draft, demands, pools),
        "notes": [*draft.notes, *_notes(draft, tally)],
    }


def _rows(rows: Mapping[str, Row], draft: Draft) -> list[dict[str, Any]]:
    return [{"name": name, **_row(row, draft)} for name, row in sorted(rows.items())]


def _row(row: Row, draft: Draft) -> dict[str, Any]:
    return {
        "sales": row.sales,
        "touched": row.touched,
        "members": row.reached,
        "given": row.given,
        "value": _money(row.value, draft) if draft.definition.award.gives_points else None,
        "before": row.before,
        "after": row.after,
    }


def _money(minor: Decimal, draft: Draft) -> str:
    """Return minor units as money, half even to the cent: once, of the sum."""
    decimals = places(draft.settings.currency)
    return str(minor.scaleb(-decimals).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN))


def _budget(
    draft: Draft, demands: list[Demand], pools: list[Pools] | None
) -> dict[str, Any] | None:
    """Return how the draft's budget would have gone: what it was asked for, and when it was gone.

    `days` has the sum of what was wanted until the end of each day; above `at_most` it is what
    the budget would have lacked.
    """
    budget = draft.definition.budget
    if budget is None:
        return None
    decimals = places(draft.settings.currency) if budget.measure == "MONEY" else 0
    at_most = int(Decimal(budget.at_most).scaleb(decimals))
    left = sum(pool.before + pool.within for pool in pools[-1].values()) if pools else None
    wanted, gone_at = 0, None
    days: dict[str, int] = {}
    for hour, amount in sorted(demands[-1].items()):
        wanted += amount
        days[hour[:10]] = wanted
        if gone_at is None and wanted > at_most:
            gone_at = f"{hour}:00"
    return {
        "measure": budget.measure,
        "at_most": budget.at_most,
        "wanted": _plain(wanted, decimals),
        "used": _plain(wanted if left is None else at_most - left, decimals),
        "gone_at": gone_at,
        "lasts_days": _lasts(draft, at_most, wanted) if gone_at is None else None,
        "days": [[day, _plain(sum_, decimals)] for day, sum_ in days.items()],
    }


def _plain(amount: int, decimals: int) -> int | str:
    return str(Decimal(amount).scaleb(-decimals)) if decimals else amount


def _lasts(draft: Draft, at_most: int, wanted: int) -> int | None:
    """Return how many days the budget lasts at the pace of the period; None if nothing is used."""
    days = max(1, (draft.ends - draft.begins).days)
    return at_most * days // wanted if wanted else None


def _notes(draft: Draft, tally: Tally) -> list[str]:
    """Return what a reader must know of the figures."""
    definition, notes = draft.definition, []
    if definition.trigger != "PURCHASE":
        notes.append(
            "ONLY_POSTED: of occasions that are no purchase only those are stored that gave"
            " something or had a reference; the true figures may be higher."
        )
    if definition.coupons:
        notes.append("COUPONS: only purchases that sent one of its coupons then could be met.")
    if tally.completed:
        notes.append(
            f"FACTS_OF_TODAY: for {tally.completed} sales, facts of the member that no promotion"
            " asked for then (segments, profile) were taken as they are today."
        )
    if tally.gone:
        notes.append(f"WITHOUT_FACTS: the facts of {tally.gone} sales were emptied; left out.")
    if tally.returned:
        notes.append(
            f"RETURNS: {tally.returned} of the sales that it touched were returned later, whole"
            " or in part; nothing was taken off for it."
        )
    if any(limit.per == "PROGRAM" for limit in definition.limits) or definition.budget:
        notes.append(
            "BY_THE_HOUR: within the hour in which a budget runs out, members count by their"
            " number and not by the minute."
        )
    notes.append("SEGMENTS: members count in the segments that they are in today.")
    notes.append(
        "BEHAVIOUR: purchases are as they were; what the promotion would have made members buy"
        " is not in the figures."
    )
    return notes
