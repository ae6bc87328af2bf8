"""What a trial adds up: sums by week, tier and segment, and what it does to other promotions."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

import msgspec

from promotions.engine.trial import DRAFT
from promotions.engine.types import Evaluation, Purchase


class Row(msgspec.Struct):
    """The sums of one week, tier or segment: sales of all, and of those what the draft gave.

    `given` is what the draft gave, `value` that in minor units of money; `before` and `after`
    are the points of its type that all promotions gave, and would have given with it.
    """

    sales: int = 0
    touched: int = 0
    reached: int = 0
    given: int = 0
    value: Decimal = Decimal(0)
    before: int = 0
    after: int = 0


class Other(msgspec.Struct):
    """Another promotion: sales that both touched, sales it lost, what it gave and would give."""

    together: int = 0
    lost: int = 0
    before: int = 0
    after: int = 0


class Given(msgspec.Struct, frozen=True):
    """What one promotion gave on a sale: points of a type, or vouchers or tickets."""

    promotion: str
    what: str
    count: int


class Tally(msgspec.Struct):
    """What a trial has seen so far. Its size follows weeks, tiers, segments and promotions."""

    total: Row = msgspec.field(default_factory=Row)
    members: int = 0
    gone: int = 0
    returned: int = 0
    completed: int = 0
    weeks: dict[str, Row] = {}
    tiers: dict[str, Row] = {}
    segments: dict[str, Row] = {}
    others: dict[str, Other] = {}
    replaced: int = 0
    days: dict[str, int] = {}


class Seen(msgspec.Struct, frozen=True):
    """A sale of the past that was judged with the draft.

    `segments` are the member's; `worth` is the money that one point of the draft was worth, in
    minor units; `completed` says that facts of today stood in for some that were not kept.
    """

    purchase: Purchase
    tier: str
    segments: tuple[str, ...]
    before: tuple[Given, ...]
    after: tuple[Given, ...]
    worth: Decimal | None
    returned: bool
    completed: bool


def given_by(evaluation: Evaluation) -> tuple[Given, ...]:
    """Return what an evaluation gives; what the draft does goes by the empty name."""
    given = [
        Given("" if each.version_id == DRAFT else each.promotion, each.type, each.points)
        for each in evaluation.awards
    ]
    given += [
        Given(
            "" if each.version_id == DRAFT else each.promotion,
            f"{each.kind} {each.code}",
            each.quantity,
        )
        for each in evaluation.rewards
    ]
    return tuple(given)


class Counter:
    """Adds sales to a tally, one member after the other."""

    def __init__(self, tally: Tally, *, promotion: str, what: str) -> None:
        self.tally, self._promotion, self._what = tally, promotion, what
        self._reached: set[tuple[str, str]] = set()
        self._counted = False

    def next_member(self) -> None:
        """Begin with another member."""
        self._reached.clear()
        self._counted = False

    def add(self, sale: Seen) -> None:
        """Count one sale."""
        tally = self.tally
        if not self._counted:
            tally.members += 1
            self._counted = True
        day = sale.purchase.local.date()
        monday = (day - timedelta(days=day.weekday())).isoformat()
        given = sum(each.count for each in sale.after if not each.promotion)
        rows = [
            ("", "", tally.total),
            ("week", monday, tally.weeks.setdefault(monday, Row())),
            ("tier", sale.tier, tally.tiers.setdefault(sale.tier, Row())),
        ]
        for code in sale.segments:
            rows.append(("segment", code, tally.segments.setdefault(code, Row())))
        before, after = self._sum(sale.before), self._sum(sale.after)
        for kind, key, row in rows:
            row.sales += 1
            row.before += before
            row.after += after
            if given:
                row.touched += 1
                row.given += given
                row.value += given * (sale.worth or 0)
                if (kind, key) not in self._reached:
                    self._reached.add((kind, key))
                    row.reached += 1
        if given:
            tally.days[day.isoformat()] = tally.days.get(day.isoformat(), 0) + given
        tally.returned += sale.returned and bool(given)
        tally.completed += sale.completed
        self._add_others(sale, touched=bool(given))

    def _sum(self, given: Iterable[Given]) -> int:
        return sum(each.count for each in given if each.what == self._what)

    def _add_others(self, sale: Seen, *, touched: bool) -> None:
        """Count what the other promotions gave, and would have given beside the draft."""
        was: dict[str, int] = {}
        would: dict[str, int] = {}
        for given, sums in ((sale.before, was), (sale.after, would)):
            for each in given:
                if each.promotion == self._promotion:
                    self.tally.replaced += each.count if each.what == self._what else 0
                elif each.promotion:
                    name = f"{each.promotion} {each.what}"
                    sums[name] = sums.get(name, 0) + each.count
        for name in was.keys() | would.keys():
            other = self.tally.others.setdefault(name, Other())
            other.before += was.get(name, 0)
            other.after += would.get(name, 0)
            other.together += touched and name in would
            other.lost += name in was and name not in would
