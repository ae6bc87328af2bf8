"""The journal of a period for the general ledger: double-entry lines, by day, tied to the books."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from ledger.models import JournalAccount
from ledger.queries.configuration import Configuration, PointTypeFacts
from ledger.queries.liability import money
from loyalty.money import places
from partners.models import Partner

COLUMNS = (
    "date", "debit", "credit", "movement", "type", "points", "amount", "currency", "partner",
)  # fmt: skip
ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line: points and money, both as the change of the liability (negative: less is owed)."""

    day: date
    movement: str
    point_type: PointTypeFacts
    points: int
    amount: Decimal
    partner: str


@dataclass(slots=True)
class Balance:
    """A point type's liability before and after the period, and what the lines made of it."""

    opening: int
    closing: int
    opening_amount: Decimal
    closing_amount: Decimal
    moved: int = 0
    moved_amount: Decimal = field(default_factory=Decimal)

    @property
    def tied(self) -> bool:
        """Whether opening + movements = closing, to the point and to the cent."""
        return (
            self.opening + self.moved == self.closing
            and self.opening_amount + self.moved_amount == self.closing_amount
        )


# What moved, by day, movement, type, partner and value: aggregated where it lies, and fetched in
# pieces. Money is rounded here, once for each line.
_LINES = """
SELECT day, movement, point_type_id, partner_id, sum(points)::bigint,
       round(sum(points) * coalesce(value, 0), %(places)s)
FROM (
    SELECT (m.posted_at AT TIME ZONE %(zone)s)::date AS day, m.movement, m.point_type_id,
           m.partner_id, m.points,
           (SELECT v.value FROM ledger_pointvalue v
            WHERE v.point_type_id = m.point_type_id AND v.currency = %(currency)s
              AND v.valid_from <= m.posted_at
              AND (v.valid_to IS NULL OR m.posted_at < v.valid_to)
            ORDER BY v.valid_from DESC LIMIT 1) AS value
    FROM ledger_movement m
    WHERE m.posted_at >= %(start)s AND m.posted_at < %(end)s
) m
GROUP BY day, movement, point_type_id, partner_id, value
HAVING sum(points) <> 0
ORDER BY day, point_type_id, movement, partner_id
"""


class Journal:
    """The lines of a period, read as they are asked for, and the balances that they tie.

    `balances` is whole once the lines have been read to their end.
    """

    def __init__(self, start: datetime, end: datetime, settings: Configuration) -> None:
        self.start, self.end = start, end
        self._settings, self.currency = settings, settings.currency
        self.balances: dict[int, Balance] = {}

    @property
    def tied(self) -> bool:
        """Whether every point type's liability is explained by the lines."""
        return all(balance.tied for balance in self.balances.values())

    def lines(self) -> Iterator[Line]:
        """Yield movements by day, then revaluations, then rounding differences."""
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 0")
            self.balances = self._opened()
            for line in self._moved():
                balance = self.balances[line.point_type.id]
                balance.moved += line.points
                balance.moved_amount += line.amount
                yield line
            for key in self.balances:
                yield from self._revalued(self._settings.point_types[key])
            for key, balance in self.balances.items():
                facts = self._settings.point_types[key]
                rest = balance.closing_amount - balance.opening_amount - balance.moved_amount
                if rest:
                    balance.moved_amount += rest
                    yield Line(self._day(self.end, last=True), "ROUNDING", facts, 0, rest, "")

    def _opened(self) -> dict[int, Balance]:
        before, after = outstanding_before(self.start), outstanding_before(self.end)
        balances = {}
        for key in sorted(after):
            facts = self._settings.point_types[key]
            opening, closing = before.get(key, 0), after[key]
            balances[key] = Balance(
                opening,
                closing,
                money(opening, self._value(facts, self.start, before=True), self.currency),
                money(closing, self._value(facts, self.end, before=True), self.currency),
            )
        return balances

    def _moved(self) -> Iterator[Line]:
        partners = dict(Partner.objects.values_list("pk", "code"))
        arguments: dict[str, Any] = {
            "start": self.start,
            "end": self.end,
            "zone": str(self._settings.zone),
            "currency": self.currency,
            "places": places(self.currency),
        }
        with connection.chunked_cursor() as cursor:
            cursor.execute(_LINES, arguments)
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                for day, movement, key, partner, points, amount in rows:
                    facts = self._settings.point_types[key]
                    yield Line(day, movement, facts, points, amount, partners[partner])

    def _revalued(self, facts: PointTypeFacts) -> Iterator[Line]:
        """Yield what a change of a point's value made of all that was outstanding then."""
        mine = [rate for rate in facts.rates if rate.currency == self.currency]
        instants = {rate.valid_from for rate in mine} | {
            rate.valid_to for rate in mine if rate.valid_to
        }
        for instant in sorted(each for each in instants if self.start <= each < self.end):
            old = self._value(facts, instant, before=True) or Decimal(0)
            new = self._value(facts, instant) or Decimal(0)
            points = outstanding_before(instant).get(facts.id, 0)
            amount = money(points, new - old, self.currency)
            if amount:
                self.balances[facts.id].moved_amount += amount
                yield Line(self._day(instant), "REVALUED", facts, 0, amount, "")

    def _value(
        self, facts: PointTypeFacts, at: datetime, *, before: bool = False
    ) -> Decimal | None:
        """Return a point's value at an instant, or the one that was in force until it."""
        for rate in facts.rates:  # The latest first.
            begun = rate.valid_from < at if before else rate.valid_from <= at
            over = rate.valid_to and (rate.valid_to < at if before else rate.valid_to <= at)
            if rate.currency == self.currency and begun and not over:
                return rate.value
        return None

    def _day(self, instant: datetime, *, last: bool = False) -> date:
        local = instant.astimezone(self._settings.zone)
        return date.fromordinal(local.toordinal() - 1) if last else local.date()


def outstanding_before(instant: datetime) -> dict[int, int]:
    """Return, by point type, the points outstanding before an instant. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT point_type_id, sum(points)::bigint FROM ledger_movement"
            " WHERE posted_at < %s GROUP BY point_type_id",
            [instant],
        )
        return dict(cursor.fetchall())


def journal_rows(journal: Journal) -> Iterator[tuple[object, ...]]:
    """Yield the rows of the CSV: a rise of the liability credits its account, a fall debits it.

    Points and amount are never negative: debit and credit say the direction.
    """
    accounts = dict(JournalAccount.objects.values_list("movement", "account"))
    owed = accounts.get("LIABILITY", "LIABILITY")
    for line in journal.lines():
        other = accounts.get(line.movement, line.movement)
        rises = line.points > 0 or (not line.points and line.amount > 0)
        debit, credit = (other, owed) if rises else (owed, other)
        yield (
            line.day, debit, credit, line.movement, line.point_type.code, abs(line.points),
            abs(line.amount), journal.currency, line.partner,
        )  # fmt: skip
