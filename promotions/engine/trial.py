"""A draft on purchases of the past: its limits and budget counted in memory, nothing else moved.

Members come one after the other, each with its purchases in posting order. So the limits of a
member are exact with the memory of one member. Budgets and limits of the programme run over all
members: they are first asked what they would be drawn on in each hour, which tells the hour that
they run out in; then the purchases are gone through again within that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import msgspec

from promotions.engine.evaluate import evaluate
from promotions.engine.periods import start_of
from promotions.engine.snapshot import Snapshot
from promotions.engine.types import Evaluation, MemberFacts, Purchase, Use
from promotions.engine.versions import Counted, Version

# The id of a draft, which no stored version has.
DRAFT = 0
Told = Mapping[int, Sequence[int | None]]


class Pool(msgspec.Struct):
    """What a limit of the programme has for one of its periods, once its demand is known.

    It runs out in the hour `ends`, or never. The hours `before` share the one part, the hour
    itself the other; whoever comes later gets nothing.
    """

    before: int
    within: int = 0
    ends: str | None = None

    def grant(self, hour: str, amount: int, *, skip: bool) -> int:
        """Return how much of an amount this hour may still have."""
        if self.ends is not None and hour > self.ends:
            return 0
        left = self.within if hour == self.ends else self.before
        return 0 if skip and left < amount else max(0, min(amount, left))

    def take(self, hour: str, amount: int) -> None:
        """Count what this hour has had."""
        if hour == self.ends:
            self.within -= amount
        else:
            self.before -= amount


# By the first day of the period; and what was wanted, by hour.
Pools = dict[str, Pool]
Demand = dict[str, int]


def pools_of(limit: Counted, demand: Demand) -> Pools:
    """Return what a limit of the programme grants, by the first day of each of its periods."""
    by_period: dict[str, list[tuple[str, int]]] = {}
    for hour, amount in sorted(demand.items()):
        start = start_of(limit.period, date.fromisoformat(hour[:10])).isoformat()
        by_period.setdefault(start, []).append((hour, amount))
    return {start: _pool(limit, hours) for start, hours in by_period.items()}


def _pool(limit: Counted, hours: list[tuple[str, int]]) -> Pool:
    used = 0
    for hour, amount in hours:
        if used + amount > limit.at_most:
            return Pool(before=used, within=limit.at_most - used, ends=hour)
        used += amount
    return Pool(before=limit.at_most)


@dataclass(slots=True)
class _Ceilings:
    """For the draft what its limits leave; for all others what they were granted at the time."""

    told: Told
    draft: Sequence[int | None]

    def get(self, version_id: int, /) -> Sequence[int | None] | None:
        return self.draft if version_id == DRAFT else self.told.get(version_id)


@dataclass(slots=True)
class Trial:
    """A draft among the versions of the past. One member's purchases follow each other in it.

    `demands` has a row for each of the draft's limits, `pools` too once they are known; those of
    a limit per member stay empty.
    """

    draft: Version
    snapshot: Snapshot
    carries: bool
    demands: list[Demand]
    pools: list[Pools] | None = None
    _had: dict[tuple[str, date, str], int] = field(default_factory=dict)

    def next_member(self) -> None:
        """Begin with another member, who had nothing of the draft yet."""
        self._had.clear()

    def judge(self, purchase: Purchase, member: MemberFacts, told: Told) -> Evaluation:
        """Return what a purchase would have earned with the draft, and count that."""
        if self.carries and self.draft.carries:
            member = self._carrying(member)
        left = self._left_of_member(purchase)
        while True:
            found = evaluate(purchase, member, self.snapshot, ceilings=_Ceilings(told, left))
            used = [use for use in found.uses if use.version_id == DRAFT]
            granted = self._granted(purchase, used, left)
            if granted == left:
                break
            left = granted
        for use in used:
            self._count(purchase, use)
        return found

    def _carrying(self, member: MemberFacts) -> MemberFacts:
        own = self._had.get(("LIFE", start_of("LIFE", date.min), "REMAINDER"), 0)
        carried = {**(member.carried or {}), self.draft.promotion: own}
        return msgspec.structs.replace(member, carried=carried)

    def _left_of_member(self, purchase: Purchase) -> list[int | None]:
        day = purchase.local.date()
        return [
            max(0, limit.at_most - self._had.get(_key(limit, day), 0))
            if limit.per == "MEMBER"
            else None
            for limit in self.draft.counted
        ]

    def _granted(
        self, purchase: Purchase, used: list[Use], left: list[int | None]
    ) -> list[int | None]:
        """Return what is left once the programme's limits have said what they grant."""
        if self.pools is None:
            return left
        granted = list(left)
        for use in used:
            if use.per == "MEMBER" or left[use.place] is not None:
                continue
            limit, pool = self.draft.counted[use.place], self._pool_of(purchase, use)
            share = pool.grant(hour_of(purchase.local), use.amount, skip=limit.skip)
            if share < use.amount:
                granted[use.place] = share
        return granted

    def _pool_of(self, purchase: Purchase, use: Use) -> Pool:
        assert self.pools is not None
        start = start_of(use.period, purchase.local.date()).isoformat()
        # A period that nobody wanted anything in before may be wanted now, whole.
        whole = self.draft.counted[use.place].at_most
        return self.pools[use.place].setdefault(start, Pool(before=whole))

    def _count(self, purchase: Purchase, use: Use) -> None:
        if use.per == "MEMBER":
            key = (use.period, start_of(use.period, purchase.local.date()), use.measure)
            self._had[key] = self._had.get(key, 0) + use.amount
            return
        hour = hour_of(purchase.local)
        if self.pools is None:
            wanted = self.demands[use.place]
            wanted[hour] = wanted.get(hour, 0) + use.amount
        else:
            self._pool_of(purchase, use).take(hour, use.amount)


def _key(limit: Counted, day: date) -> tuple[str, date, str]:
    return (limit.period, start_of(limit.period, day), limit.measure)


def hour_of(local: datetime) -> str:
    """Return the local hour of an instant, such as 2026-01-05T13; they sort as time does."""
    return local.strftime("%Y-%m-%dT%H")
