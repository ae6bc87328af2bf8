"""A sale as returns see it: what it was evaluated on, what came back, and what it still has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import Exists, OuterRef, QuerySet

from ledger.errors import AlreadyReversed
from ledger.kernel.book import Kind
from ledger.models import Transaction as TransactionRow
from promotions.engine.periods import start_of
from promotions.engine.returns import Returned, together
from promotions.engine.snapshot import Snapshot
from promotions.engine.types import Evaluation as Outcome
from promotions.engine.types import MemberFacts, Purchase
from promotions.errors import EvaluationGone
from promotions.models import Evaluation
from promotions.queries import inputs_of
from promotions.services.rewarding.reward_returns import HeldReward, StoredReward, held_of


class Counted(msgspec.Struct, frozen=True):
    """A limit or budget that a sale used up a part of, in the period it was claimed from."""

    promotion: str
    per: str
    period: str
    start: date
    measure: str


class Use(msgspec.Struct, frozen=True):
    """How much of it, by which version; `place` is that in the version's `counted`."""

    version_id: int
    place: int
    promotion: str
    per: str
    period: str
    start: date
    measure: str
    amount: int

    @property
    def counted(self) -> Counted:
        return Counted(self.promotion, self.per, self.period, self.start, self.measure)


class Given(msgspec.Struct, frozen=True):
    """Points of a stored award; a return's may be below zero."""

    version_id: int
    promotion: str
    version: int
    type: str
    points: int


class Stored(msgspec.Struct, frozen=True):
    """What is read of a stored result."""

    awards: list[Given] = []
    uses: list[Use] = []
    rewards: list[StoredReward] = []


@dataclass(frozen=True, slots=True)
class Sale:
    """A sale under its member's lock: frozen facts, and what it has after its returns so far."""

    original: TransactionRow
    purchase: Purchase
    member: MemberFacts
    granted: Mapping[int, Mapping[int, int]]
    returned: Mapping[int, Returned]
    held: Mapping[tuple[int, str], int]
    used: Mapping[Counted, int]
    rewards: Mapping[int, HeldReward]


def sale_of(original: TransactionRow) -> Sale:
    """Return a sale as it stands; its member's book is locked. Two queries.

    :raises AlreadyReversed: if the whole sale was taken back.
    :raises EvaluationGone: if its facts were emptied.
    """
    returns = list(
        standing_returns(original.pk, Kind.RETURN, Kind.EARN_REVERSAL).order_by("version")
    )
    if any(each.kind == Kind.EARN_REVERSAL for each in returns):
        raise AlreadyReversed
    results = _results([original.pk, *(each.pk for each in returns)])
    inputs = results[original.pk].inputs if original.pk in results else None
    if inputs is None:
        raise EvaluationGone
    facts = inputs_of(inputs)
    assert facts.purchase is not None, "a sale was evaluated on a purchase"
    stored = [
        msgspec.convert(results[key].result, Stored)
        for key in (original.pk, *(each.pk for each in returns))
        if key in results
    ]
    first = msgspec.convert(results[original.pk].result, Stored)
    granted: dict[int, dict[int, int]] = {}
    for use in first.uses:
        granted.setdefault(use.version_id, {})[use.place] = use.amount
    came_back = [
        msgspec.convert(line, Returned)
        for each in returns
        for line in (each.data or {}).get("returned", ())
    ]
    return Sale(
        original,
        facts.purchase,
        facts.member,
        granted,
        together(came_back),
        _held(stored),
        used_of(stored),
        held_of(each.rewards for each in stored),
    )


def standing_returns(original: UUID, *kinds: Kind) -> QuerySet[TransactionRow]:
    """Return what came back of a sale, but for returns that were undone since."""
    undone = TransactionRow.objects.filter(original=OuterRef("pk"), kind=Kind.RETURN_REVERSAL)
    found = TransactionRow.objects.filter(original=original, kind__in=kinds)
    return found.exclude(Exists(undone))


def _results(ids: Iterable[UUID]) -> dict[UUID, Evaluation]:
    return Evaluation.objects.in_bulk(list(ids))


def _held(stored: Iterable[Stored]) -> dict[tuple[int, str], int]:
    held: dict[tuple[int, str], int] = {}
    for result in stored:
        for award in result.awards:
            key = (award.version_id, award.type)
            held[key] = held.get(key, 0) + award.points
    return held


def used_of(stored: Iterable[Stored]) -> dict[Counted, int]:
    """Return what is used up still, by limit and period: what was, less what returns freed."""
    used: dict[Counted, int] = {}
    for result in stored:
        for use in result.uses:
            used[use.counted] = used.get(use.counted, 0) + use.amount
    return used


def stored_of_sale(original: TransactionRow) -> list[Stored]:
    """Return what is stored of a sale and its returns, in their order. Two queries."""
    related = standing_returns(original.pk, Kind.RETURN)
    ids = [original.pk, *related.values_list("pk", flat=True)]
    results = Evaluation.objects.filter(pk__in=ids).order_by("pk")
    return [msgspec.convert(each, Stored) for each in results.values_list("result", flat=True)]


class Granted:
    """The ceilings of a sale that is evaluated again: what its limits and budgets granted it."""

    def __init__(self, sale: Sale, snapshot: Snapshot) -> None:
        self._granted, self._snapshot = sale.granted, snapshot
        self.told: dict[int, tuple[int | None, ...]] = {}

    def get(self, version_id: int, /) -> tuple[int | None, ...] | None:
        """Return what a version was granted; nothing, if the sale used none of its limits."""
        if version_id not in self.told:
            granted = self._granted.get(version_id, {})
            count = len(self._snapshot.by_id[version_id].counted)
            self.told[version_id] = tuple(granted.get(place, 0) for place in range(count))
        return self.told[version_id]


def changes(
    before: Mapping[Counted, int], after: Mapping[Counted, int], member_id: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what goes back to members' limits, and to budgets, as `promotions_record` takes it."""
    counts, unused = [], []
    for key in sorted(before.keys() | after.keys(), key=str):
        change = after.get(key, 0) - before.get(key, 0)
        if not change:
            continue
        row = msgspec.structs.asdict(key)
        if key.per == "MEMBER":
            counts.append({"member_id": member_id, **row, "amount": change})
        else:
            # All that goes back goes to slot 0: it alone may stand below zero.
            unused.append({**row, "slot": 0, "amount": -change})
    return counts, unused


def used_now(sale: Sale, deserved: Outcome) -> dict[Counted, int]:
    """Return what the sale now uses up, in the periods that it was claimed from."""
    used: dict[Counted, int] = {}
    for use in deserved.uses:
        start = start_of(use.period, sale.purchase.local.date())
        key = Counted(use.promotion, use.per, use.period, start, use.measure)
        used[key] = used.get(key, 0) + use.amount
    return used


def change_of_uses(sale: Sale, used: Mapping[Counted, int]) -> list[dict[str, Any]]:
    """Return by how much the return changes what is used up, as it is stored."""
    rows = []
    for key in sorted(sale.used.keys() | used.keys(), key=str):
        change = used.get(key, 0) - sale.used.get(key, 0)
        if change:
            row = {"version_id": 0, "place": -1, **msgspec.structs.asdict(key), "amount": change}
            rows.append(row)
    return rows
