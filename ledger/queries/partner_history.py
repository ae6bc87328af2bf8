"""What points did at a partner, and what became of the points that it issued."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from ledger.queries.books import execute


class PartnerHistoryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which movements. CAUSED are those that count to the partner; ISSUED, those of its lots."""

    partner_id: int
    view: str
    start: datetime
    end: datetime
    by_posted: bool
    future_tolerance: float
    outlet: str | None = None
    kinds: tuple[str, ...] = ()
    point_type: int | None = None


class MovedPoints(msgspec.Struct, kw_only=True):
    """Points of a transaction that moved one way; a rate only where the partner settles it."""

    movement: str
    point_type: int
    points: int
    rate: Decimal | None


class MovedTransaction(msgspec.Struct, kw_only=True):
    """A transaction as it concerns one partner."""

    id: UUID
    kind: str
    member_id: int
    partner_id: int
    reference: str | None
    outlet: str | None
    sale: UUID | None
    original: UUID | None
    occurred_at: datetime
    posted_at: datetime
    movements: list[MovedPoints]


class MovedTotal(msgspec.Struct, kw_only=True):
    """All points of a period that moved one way at one rate."""

    movement: str
    point_type: int
    transactions: int
    points: int
    rate: Decimal | None


# Both walk an index from the newest posting down and look at each transaction's movements until
# the page is full. Whose header names the partner is found by the one; what others posted and may
# have moved points that it issued by the other, which holds of all earns only those whose header
# says that somebody else funds a part.
_OWN = "t.partner_id + 0 = %(partner_id)s"  # As the index has it.
_OTHERS = (
    "(t.kind NOT IN ('EARN', 'BONUS') OR t.data ? 'funders') AND t.partner_id <> %(partner_id)s"
)
_COUNTS = {"CAUSED": "m.partner_id = %(partner_id)s", "ISSUED": "m.issuer_id = %(partner_id)s"}
# What another partner settles is priced by that partner's terms, which are nobody else's.
_RATE = "CASE WHEN m.partner_id = %(partner_id)s THEN m.rate END"
_BRANCH = """
    (SELECT t.id, t.posted_at FROM ledger_transaction t
     CROSS JOIN LATERAL (
         SELECT 1 FROM ledger_movement m WHERE m.transaction_id = t.id AND {moved} LIMIT 1) hit
     WHERE {posted} AND {wanted}
     ORDER BY t.posted_at DESC, t.id DESC LIMIT %(limit)s)
"""
_PAGE = """
SELECT coalesce(json_agg(json_build_object(
    'id', t.id, 'kind', t.kind, 'member_id', t.member_id, 'partner_id', t.partner_id,
    'reference', t.reference, 'outlet', t.outlet, 'sale', t.sale, 'original', t.original,
    'occurred_at', t.occurred_at, 'posted_at', t.posted_at, 'movements', moved.list)
    ORDER BY t.posted_at DESC, t.id DESC), '[]')::text
FROM (SELECT id FROM ({own} UNION ALL {others}) found
      ORDER BY posted_at DESC, id DESC LIMIT %(limit)s) page
JOIN ledger_transaction t ON t.id = page.id
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object(
        'movement', movement, 'point_type', point_type_id, 'points', points, 'rate', rate::text)
        ORDER BY point_type_id, movement) AS list
    FROM (SELECT m.movement, m.point_type_id, {rate} AS rate, sum(m.points)::bigint AS points
          FROM ledger_movement m WHERE m.transaction_id = t.id AND {moved}
          GROUP BY 1, 2, 3) m
) moved
"""
_TOTALS = """
SELECT coalesce(json_agg(json_build_object(
    'movement', movement, 'point_type', point_type_id, 'transactions', transactions,
    'points', points, 'rate', rate::text)
    ORDER BY point_type_id, movement, rate), '[]')::text
FROM (
    SELECT m.movement, m.point_type_id, {rate} AS rate, sum(m.points)::bigint AS points,
           count(DISTINCT m.transaction_id) AS transactions
    FROM (SELECT id FROM ledger_transaction t WHERE {own} AND {wanted}
          UNION ALL
          SELECT id FROM ledger_transaction t WHERE {others} AND {wanted}) t
    JOIN ledger_movement m ON m.transaction_id = t.id
    WHERE {moved} GROUP BY 1, 2, 3
) m
"""


def partner_history(
    wanted: PartnerHistoryFilter, *, before: tuple[datetime, UUID] | None, limit: int
) -> list[MovedTransaction]:
    """Return the transactions that concern a partner before a position, newest first. One query."""
    row = execute(*page_query(wanted, before=before, limit=limit))
    return msgspec.json.decode(row[0], type=list[MovedTransaction])


def page_query(
    wanted: PartnerHistoryFilter, *, before: tuple[datetime, UUID] | None, limit: int
) -> tuple[str, dict[str, Any]]:
    """Return the statement of a page and its arguments."""
    conditions = _conditions(wanted)
    if before is not None:
        conditions += " AND (t.posted_at, t.id) < (%(before_at)s, %(before_id)s)"
    moved = _moved(wanted)
    own, others = (
        _BRANCH.format(moved=moved, posted=posted, wanted=conditions) for posted in (_OWN, _OTHERS)
    )
    position = {"before_at": before[0], "before_id": before[1]} if before else {}
    arguments = {**_arguments(wanted), **position, "limit": limit}
    return _PAGE.format(own=own, others=others, moved=moved, rate=_RATE), arguments


def partner_totals(wanted: PartnerHistoryFilter) -> list[MovedTotal]:
    """Return what a filter selects, summed by movement, point type and rate. One query."""
    statement = _TOTALS.format(
        own=_OWN, others=_OTHERS, wanted=_conditions(wanted), moved=_moved(wanted), rate=_RATE
    )
    row = execute(statement, _arguments(wanted))
    return msgspec.json.decode(row[0], type=list[MovedTotal])


def _moved(wanted: PartnerHistoryFilter) -> str:
    only = " AND m.point_type_id = %(point_type)s" if wanted.point_type is not None else ""
    return _COUNTS[wanted.view] + only


def _conditions(wanted: PartnerHistoryFilter) -> str:
    """Return the filters on the header. What a till dates lies at most a tolerance ahead of us."""
    if wanted.by_posted:
        conditions = "t.posted_at >= %(start)s AND t.posted_at < %(end)s"
    else:
        conditions = (
            "t.posted_at >= %(start)s - make_interval(secs => %(future_tolerance)s)"
            " AND t.occurred_at >= %(start)s AND t.occurred_at < %(end)s"
        )
    if wanted.outlet is not None:
        conditions += " AND t.outlet = %(outlet)s"
    if wanted.kinds:
        conditions += " AND t.kind = ANY (%(kinds)s)"
    return conditions


def _arguments(wanted: PartnerHistoryFilter) -> dict[str, Any]:
    return {**msgspec.structs.asdict(wanted), "kinds": list(wanted.kinds)}
