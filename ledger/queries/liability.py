"""What the programme owes in points: outstanding by type, tier, cohort and month of expiry."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import msgspec
from django.db import connection, transaction

from ledger.errors import NoRate
from ledger.queries.books import execute
from ledger.queries.configuration import Configuration, PointTypeFacts
from loyalty.money import places


class Held(msgspec.Struct, kw_only=True):
    """Points that members of a tier hold, of one month of earning and one month of expiry."""

    point_type: int
    tier: str | None
    cohort: date | None
    expiry: date | None
    pending: int
    available: int
    locked: int
    debt: int

    @property
    def outstanding(self) -> int:
        return self.pending + self.available + self.locked - self.debt


class Cohort(msgspec.Struct, kw_only=True):
    """What became of the points that were earned in a month.

    `matured` is what was earned, less what was taken back, of lots whose date has passed; so
    `expired_of_matured` of it is breakage.
    """

    point_type: int
    month: date
    issued: int
    reversed: int
    redeemed: int
    expired: int
    paid_debt: int
    outstanding: int
    matured: int
    expired_of_matured: int

    @property
    def breakage(self) -> Decimal | None:
        """The share that expired of what has matured; None before anything has."""
        return Decimal(self.expired_of_matured) / self.matured if self.matured else None

    @property
    def redemption_rate(self) -> Decimal | None:
        """The share that was redeemed of what was earned and kept."""
        kept = self.issued - self.reversed
        return Decimal(self.redeemed) / kept if kept else None


class Control(msgspec.Struct, kw_only=True):
    """What the ledger says of a point type, counted without lots: what came in less what left.

    `accounts` is the sum of the members' accounts, where nothing was posted since.
    """

    point_type: int
    moved: int
    accounts: int | None


class Liability(msgspec.Struct, kw_only=True):
    """The liability at an instant, read in one snapshot."""

    as_of: datetime
    held: list[Held]
    cohorts: list[Cohort]
    controls: list[Control]

    @property
    def untied(self) -> list[Control]:
        """Return the point types whose report is not the ledger to the point; none if all is."""
        reported: dict[int, int] = {}
        for each in self.held:
            reported[each.point_type] = reported.get(each.point_type, 0) + each.outstanding
        return [
            each
            for each in self.controls
            if each.moved != reported.get(each.point_type, 0)
            or each.accounts not in (None, each.moved)
        ]


# Replaces a pass over every entry in Python. One statement, so that all of it is one snapshot;
# what is counted of each lot is read once and summed three ways.
_LIABILITY = """
WITH moved AS MATERIALIZED (
    SELECT e.lot_id, e.member_id, e.point_type_id,
        sum(e.points * ((e.target = 2)::int - (e.source = 2)::int)) AS pending,
        sum(e.points * ((e.target = 3)::int - (e.source = 3)::int)) AS available,
        sum(e.points * ((e.target = 4)::int - (e.source = 4)::int)) AS locked,
        sum(e.points * ((e.source = 8)::int - (e.target = 8)::int)) AS debt,
        sum(e.points * (e.source = 1)::int) AS issued,
        sum(e.points * ((e.target = 5)::int - (e.source = 5)::int)) AS redeemed,
        sum(e.points * ((e.target = 6)::int - (e.source = 6)::int)) AS expired,
        sum(e.points * ((e.target = 7)::int - (e.source = 7)::int)) AS reversed
    FROM ledger_entry e JOIN ledger_transaction t ON t.id = e.transaction_id
    WHERE t.posted_at < %(at)s
    GROUP BY e.lot_id, e.member_id, e.point_type_id
), tier AS (
    -- Who moved since was in the tier that the first move since left.
    SELECT m.id AS member_id, coalesce(a.tier, t.code) AS tier
    FROM members_member m
    LEFT JOIN members_tier t ON t.id = m.tier_id
    LEFT JOIN (
        SELECT DISTINCT ON (member_id) member_id, data ->> 'from' AS tier
        FROM members_activity WHERE kind = 'TIER_CHANGED' AND at >= %(at)s
        ORDER BY member_id, id
    ) a ON a.member_id = m.id
), placed AS MATERIALIZED (
    -- Points go on in the lots of another member after a merge; their sale stays theirs.
    SELECT m.*, r.tier, l.expires_at <= %(at)s AS matured,
           date_trunc('month', o.posted_at AT TIME ZONE %(zone)s)::date AS cohort,
           date_trunc('month', l.expires_at AT TIME ZONE %(zone)s)::date AS expiry
    FROM moved m
    LEFT JOIN tier r ON r.member_id = m.member_id
    LEFT JOIN ledger_lot l ON l.id = m.lot_id
    LEFT JOIN ledger_transaction o ON o.id = coalesce(l.origin, l.transaction_id)
)
SELECT json_build_object(
    'as_of', %(at)s::timestamptz,
    'held', (SELECT coalesce(json_agg(h), '[]') FROM (
        SELECT point_type_id AS point_type, tier, cohort, expiry, sum(pending)::bigint AS pending,
               sum(available)::bigint AS available, sum(locked)::bigint AS locked, 0 AS debt
        FROM placed GROUP BY 1, 2, 3, 4
        HAVING sum(pending) <> 0 OR sum(available) <> 0 OR sum(locked) <> 0
        UNION ALL
        SELECT point_type_id, tier, NULL, NULL, 0, 0, 0, sum(debt)::bigint
        FROM placed GROUP BY 1, 2 HAVING sum(debt) <> 0
        ORDER BY 1, 2, 3, 4) h),
    'cohorts', (SELECT coalesce(json_agg(c), '[]') FROM (
        SELECT point_type_id AS point_type, cohort AS month, sum(issued)::bigint AS issued,
               sum(reversed)::bigint AS reversed, sum(redeemed)::bigint AS redeemed,
               sum(expired)::bigint AS expired, -sum(debt)::bigint AS paid_debt,
               sum(pending + available + locked)::bigint AS outstanding,
               coalesce(sum(issued - reversed) FILTER (WHERE matured), 0)::bigint AS matured,
               coalesce(sum(expired) FILTER (WHERE matured), 0)::bigint AS expired_of_matured
        FROM placed WHERE cohort IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2) c),
    'controls', (SELECT coalesce(json_agg(k), '[]') FROM (
        SELECT m.point_type_id AS point_type,
               sum(m.points)::bigint AS moved,
               CASE WHEN NOT EXISTS (SELECT 1 FROM ledger_transaction WHERE posted_at >= %(at)s)
                    THEN (SELECT sum(available + pending + locked - debt)::bigint
                          FROM ledger_account a WHERE a.point_type_id = m.point_type_id)
               END AS accounts
        FROM ledger_movement m WHERE m.posted_at < %(at)s
        GROUP BY m.point_type_id ORDER BY 1) k)
)::text
"""


def liability(at: datetime, zone: ZoneInfo) -> Liability:
    """Return what was outstanding before an instant, by the books as posted. One statement.

    It reads the whole ledger, in seconds for some millions of entries, so it is not for tills.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
        row = execute(_LIABILITY, {"at": at, "zone": str(zone)})
    return msgspec.json.decode(row[0], type=Liability)


def value_of(facts: PointTypeFacts, currency: str, at: datetime) -> Decimal | None:
    """Return the money value of a smallest unit at an instant; None where there is none."""
    try:
        return facts.rate(currency, at)
    except NoRate:
        return None


def money(points: int, value: Decimal | None, currency: str) -> Decimal:
    """Return what points are worth, rounded once, halves away from zero; without a value, 0."""
    unit = Decimal(1).scaleb(-places(currency))
    return (points * (value or Decimal(0))).quantize(unit, rounding=ROUND_HALF_UP)


DIMENSIONS: dict[str, Callable[[Held], object]] = {
    "tier": lambda each: each.tier or "",
    "cohort": lambda each: f"{each.cohort:%Y-%m}" if each.cohort else "",
    "expiry": lambda each: f"{each.expiry:%Y-%m}" if each.expiry else "",
}
STATES = ("pending", "available", "locked", "debt", "outstanding")


def grouped(
    held: Iterable[Held], by: Iterable[str], settings: Configuration, at: datetime
) -> Iterator[tuple[object, ...]]:
    """Yield the report's rows: point type, what it is grouped by, points by state, and money.

    Money is rounded once for each row.
    """
    keys = list(by)
    sums: dict[tuple[object, ...], list[int]] = {}
    for each in held:
        key = (each.point_type, *(DIMENSIONS[name](each) for name in keys))
        row = sums.setdefault(key, [0] * len(STATES))
        for place, state in enumerate(STATES):
            row[place] += getattr(each, state)
    for key in sorted(sums, key=lambda key: tuple(map(str, key))):
        facts = settings.point_types[int(str(key[0]))]
        value = value_of(facts, settings.currency, at)
        amount = money(sums[key][-1], value, settings.currency)
        yield (facts.code, *key[1:], *sums[key], amount, settings.currency)
