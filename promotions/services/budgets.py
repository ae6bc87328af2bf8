"""Budgets, and limits of the whole programme: claimed before they are given, never passed.

Lock order: books, then slots by key. A unit claims in the order of keys; what it then finds it
does not need goes back to the slots that it holds, with the statement that writes its postings.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

import msgspec
from django.db import connection

from ledger.queries.books import execute
from promotions.engine.evaluate import evaluate
from promotions.engine.snapshot import Snapshot
from promotions.engine.types import Evaluation, MemberFacts, Purchase, Use
from promotions.services.facts import Left

SLOTS = 16


class BudgetKey(msgspec.Struct, frozen=True, order=True):
    """Which budget or limit of the programme, in which period."""

    promotion: str
    per: str
    period: str
    start: date
    measure: str


class Want(msgspec.Struct, frozen=True):
    """What an evaluation would use up of a budget, of which its version says this much."""

    key: BudgetKey
    number: int
    at_most: int
    amount: int
    skip: bool


class Purse(Protocol):
    """Where an evaluation gets its share of budgets from."""

    def claim(self, wants: Sequence[Want]) -> list[int]:
        """Return how much of each want is granted."""

    def give_back(self, key: BudgetKey, amount: int) -> None:
        """Take back what was granted and not needed."""


def row_of(want: Want) -> dict[str, Any]:
    """Return a want as the SQL functions take it."""
    return {
        **msgspec.structs.asdict(want.key),
        "number": want.number,
        "at_most": want.at_most,
        "want": want.amount,
        "skip": want.skip,
    }


@dataclass(slots=True)
class Till:
    """Claims from the budgets themselves: one statement for what an evaluation wants."""

    slot: int = field(default_factory=lambda: random.randrange(SLOTS))  # noqa: S311 spreads tills
    slots: dict[BudgetKey, int] = field(default_factory=dict)
    unused: dict[BudgetKey, int] = field(default_factory=dict)

    def claim(self, wants: Sequence[Want]) -> list[int]:
        """Claim each want from the till's slot; where it does not fit, from all of them."""
        rows = [{**row_of(want), "slot": self.slot} for want in wants]
        found = execute(
            "SELECT promotions_claim(%s::jsonb)::text", (msgspec.json.encode(rows).decode(),)
        )
        answers = msgspec.json.decode(found[0], type=list[tuple[int, int]])
        for want, (_, held) in zip(wants, answers, strict=True):
            self.slots.setdefault(want.key, held)
        return [granted for granted, _ in answers]

    def give_back(self, key: BudgetKey, amount: int) -> None:
        """Note what goes back to the slot that is held, when the postings are written."""
        self.unused[key] = self.unused.get(key, 0) + amount

    def rows(self) -> list[dict[str, Any]]:
        """Return what goes back, as `promotions_record` takes it."""
        return [
            {**msgspec.structs.asdict(key), "slot": self.slots[key], "amount": amount}
            for key, amount in sorted(self.unused.items())
            if amount
        ]


# Slot 0 takes all that goes back; in the order of keys, as they are claimed.
_HOLD = """
SELECT count(*) FROM (
    SELECT 1 FROM promotions_budgetslot b
    JOIN jsonb_to_recordset(%s::jsonb) AS t (
        promotion text, per text, period text, start date, measure text)
      USING (promotion, per, period, start, measure)
    WHERE b.slot = 0
    ORDER BY promotion, per, period, start, measure FOR UPDATE OF b) held
"""


def hold(unused: Sequence[Mapping[str, Any]]) -> None:
    """Lock the slots that something will go back to; a step, before any voucher is locked."""
    assert connection.in_atomic_block
    if unused:
        execute(_HOLD, (msgspec.json.encode(unused).decode(),))


@dataclass(slots=True)
class OnlyLooking:
    """Grants what budgets have left as they are read, and claims nothing: for an evaluation.

    `freed` is what earlier steps of the call that is looked at would give back.
    """

    freed: dict[BudgetKey, int] = field(default_factory=dict)

    def claim(self, wants: Sequence[Want]) -> list[int]:
        """Return what each want would be granted now."""
        rows = msgspec.json.encode([row_of(want) for want in wants]).decode()
        found = execute("SELECT promotions_left(%s::jsonb)::text", (rows,))
        rests = msgspec.json.decode(found[0], type=list[int])
        return [
            _share(want, rest + self.freed.get(want.key, 0))
            for want, rest in zip(wants, rests, strict=True)
        ]

    def free(self, key: BudgetKey, amount: int) -> None:
        """Add what an earlier step of the call gives back; below zero it takes more."""
        self.freed[key] = self.freed.get(key, 0) + amount

    def give_back(self, key: BudgetKey, amount: int) -> None:
        """Do nothing: nothing was taken."""


class UnitIsShort(Exception):
    """A unit of many did not claim enough for one of them, though the budget may have it."""


@dataclass(slots=True)
class SharedPurse:
    """What a unit of many postings claimed at once, given out to them in their order."""

    till: Till
    held: dict[BudgetKey, int] = field(default_factory=dict)
    exhausted: set[BudgetKey] = field(default_factory=set)

    def fill(self, wants: Iterable[Want]) -> None:
        """Claim what the postings of a unit want together, once per budget, in order."""
        together: dict[BudgetKey, Want] = {}
        for want in wants:
            known = together.get(want.key)
            number = max(want.number, known.number) if known else want.number
            at_most = want.at_most if not known or want.number >= known.number else known.at_most
            amount = want.amount + (known.amount if known else 0)
            together[want.key] = Want(want.key, number, at_most, amount, skip=False)
        if not together:
            return
        asked = [together[key] for key in sorted(together)]
        for want, granted in zip(asked, self.till.claim(asked), strict=True):
            self.held[want.key] = granted
            if granted < want.amount:
                self.exhausted.add(want.key)

    def claim(self, wants: Sequence[Want]) -> list[int]:
        """Return each want's share of what is held.

        :raises UnitIsShort: if what is held does not cover it and the budget may have more.
        """
        granted = []
        for want in wants:
            held = self.held.get(want.key, 0)
            if held < want.amount and want.key not in self.exhausted:
                raise UnitIsShort
            granted.append(_share(want, held))
        for want, share in zip(wants, granted, strict=True):
            self.held[want.key] -= share
        return granted

    def give_back(self, key: BudgetKey, amount: int) -> None:
        """Let the unit's next postings have it."""
        self.held[key] += amount

    def rows(self) -> list[dict[str, Any]]:
        """Return what no posting needed, as `promotions_record` takes it."""
        for key, amount in self.held.items():
            self.till.give_back(key, amount)
        self.held = dict.fromkeys(self.held, 0)
        return self.till.rows()


def _share(want: Want, rest: int) -> int:
    if want.skip and rest < want.amount:
        return 0
    return max(0, min(want.amount, rest))


def wants_of(evaluation: Evaluation, snapshot: Snapshot, left: Left) -> dict[tuple[int, int], Want]:
    """Return what an evaluation would use up of budgets, by version and place, in lock order."""
    wants = []
    for use in evaluation.uses:
        if use.per == "MEMBER":
            continue
        version = snapshot.by_id[use.version_id]
        limit = version.counted[use.place]
        key = _key(use, left)
        want = Want(key, version.number, limit.at_most, use.amount, limit.skip)
        wants.append(((use.version_id, use.place), want))
    return dict(sorted(wants, key=lambda each: each[1].key))


def _key(use: Use, left: Left) -> BudgetKey:
    return BudgetKey(use.promotion, use.per, use.period, left.start(use.period), use.measure)


def evaluate_within(
    purchase: Purchase,
    member: MemberFacts | None,
    snapshot: Snapshot,
    left: Left,
    purse: Purse,
    *,
    explain: bool = False,
) -> Evaluation:
    """Evaluate a purchase within its limits and budgets.

    What budgets grant is the ceiling of their promotions. Where that is less than was wanted, it
    is evaluated again, at most once per budgeted promotion; what is then unused is given back.
    """
    granted: dict[tuple[int, int], tuple[BudgetKey, int]] = {}
    while True:
        found = evaluate(purchase, member, snapshot, ceilings=left, explain=explain)
        if not snapshot.counts_programme:
            return found
        wants = {
            place: want
            for place, want in wants_of(found, snapshot, left).items()
            if place not in granted
        }
        if not wants:
            break
        try:
            shares = purse.claim(list(wants.values()))
        except UnitIsShort:
            for key, share in granted.values():
                purse.give_back(key, share)
            raise
        for (place, want), share in zip(wants.items(), shares, strict=True):
            granted[place] = (want.key, share)
            left.grant(*place, share)
        if shares == [want.amount for want in wants.values()]:
            break
    used = {(use.version_id, use.place): use.amount for use in found.uses}
    for place, (key, share) in granted.items():
        if unused := share - used.get(place, 0):
            purse.give_back(key, unused)
    return found
