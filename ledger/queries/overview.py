"""How the programme's points stand, for people: outstanding, and what the last days moved."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import connection

from ledger.errors import NoRate
from ledger.queries.configuration import Configuration
from loyalty.dates import start_of_day

EARNED, REDEEMED, EXPIRED, BACK = "Earned", "Redeemed", "Expired", "Taken back"
MOVES: Mapping[str, tuple[str, int]] = {
    "EARN": (EARNED, 1),
    "BONUS": (EARNED, 1),
    "REDEMPTION": (REDEEMED, -1),
    "REDEMPTION_REVERSAL": (REDEEMED, -1),
    "EXPIRY": (EXPIRED, -1),
    "EARN_REVERSAL": (BACK, -1),
    "RETURN": (BACK, -1),
    "RETURN_REVERSAL": (BACK, -1),
}


@dataclass(frozen=True, slots=True)
class TypeOverview:
    """A point type: points outstanding with their worth, and the last days' points by move."""

    code: str
    outstanding: int
    worth: Decimal | None
    days: Mapping[date, Mapping[str, int]]

    def total(self, move: str) -> int:
        """Return the points of a move over all days."""
        return sum(moves.get(move, 0) for moves in self.days.values())


@dataclass(frozen=True, slots=True)
class PromotionCost:
    """What the versions of one promotion granted, in points of one type, and its worth."""

    version_id: int
    code: str
    points: int
    worth: Decimal | None


# The condition on partners, as it stands in an index, spares the years before `since`.
_RECENT = (
    "t.partner_id + 0 = ANY (SELECT id FROM partners_partner) AND t.posted_at >= %(since)s"
    " AND t.kind = ANY (%(kinds)s)"
)
_MOVED = f"""
SELECT (e ->> 'type')::bigint, (t.posted_at AT TIME ZONE %(zone)s)::date, t.kind,
       sum((e ->> 'points')::bigint)::bigint
FROM ledger_transaction t, jsonb_array_elements(t.effects) e WHERE {_RECENT} GROUP BY 1, 2, 3
"""
_ACTIVE = f"SELECT count(DISTINCT t.member_id) FROM ledger_transaction t WHERE {_RECENT}"
_GRANTED = f"""
SELECT l.promotion_version, l.point_type_id, sum(l.granted)::bigint
FROM ledger_transaction t JOIN ledger_lot l ON l.transaction_id = t.id
WHERE {_RECENT} AND l.promotion_version IS NOT NULL AND l.moved_from IS NULL GROUP BY 1, 2
"""
_OUTSTANDING = """
SELECT point_type_id, sum(available + pending + locked - debt)::bigint
FROM ledger_account GROUP BY 1
"""


def first_instant(settings: Configuration, at: datetime, days: int) -> datetime:
    """Return the start of the local day from which `days` days, today among them, are counted."""
    today = at.astimezone(settings.zone).date()
    return start_of_day(today - timedelta(days=days - 1), settings.zone)


def overview(settings: Configuration, *, at: datetime, days: int) -> list[TypeOverview]:
    """Return each point type as it stands, with the moves of the last local days. Two queries.

    Moves are net of what was taken back of redemptions; what is due and not posted is outstanding.
    """
    moved: dict[int, dict[date, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    with connection.cursor() as cursor:
        cursor.execute(_OUTSTANDING)
        outstanding = dict(cursor.fetchall())
        since = first_instant(settings, at, days)
        cursor.execute(_MOVED, {"since": since, "zone": settings.zone.key, "kinds": list(MOVES)})
        for point_type, day, kind, points in cursor.fetchall():
            move, sign = MOVES[kind]
            moves = moved[point_type][day]
            moves[move] = moves.get(move, 0) + sign * points
    first = since.astimezone(settings.zone).date()
    calendar = [first + timedelta(days=n) for n in range(days)]
    return [
        TypeOverview(
            code=facts.code,
            outstanding=outstanding.get(facts.id, 0),
            worth=_worth(settings, facts.id, outstanding.get(facts.id, 0), at),
            days={day: moved[facts.id].get(day, {}) for day in calendar},
        )
        for facts in settings.point_types.values()
    ]


def active_members(settings: Configuration, *, at: datetime, days: int) -> int:
    """Return how many members earned in the last local days. One query."""
    since = first_instant(settings, at, days)
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVE, {"since": since, "kinds": ["EARN", "BONUS"]})
        count: int = cursor.fetchone()[0]
    return count


def promotion_costs(settings: Configuration, *, at: datetime, days: int) -> list[PromotionCost]:
    """Return what each promotion version granted in the last local days. One query.

    Most first, by worth where there is one; what was taken back since is not taken off.
    """
    since = first_instant(settings, at, days)
    with connection.cursor() as cursor:
        cursor.execute(_GRANTED, {"since": since, "kinds": ["EARN", "BONUS"]})
        rows = cursor.fetchall()
    costs = [
        PromotionCost(
            version, settings.point_types[kind].code, points, _worth(settings, kind, points, at)
        )
        for version, kind, points in rows
    ]
    return sorted(costs, key=lambda each: (each.worth or 0, each.points), reverse=True)


def _worth(settings: Configuration, point_type: int, points: int, at: datetime) -> Decimal | None:
    try:
        return settings.value_of(settings.point_types[point_type], points, settings.currency, at)
    except NoRate:
        return None
