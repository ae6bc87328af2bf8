"""Reversals: an earn taken back whole, a redemption given back to its original lots."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection

from ledger.errors import AlreadyReversed, ReversalExceeds, ReversalRefused
from ledger.kernel.book import Bucket, Entry, Header, Kind, Lot, Transaction, begin, finish
from ledger.kernel.reversals import (
    Family,
    Restored,
    charge,
    restore,
    take_back_of,
)
from ledger.models import PointType
from ledger.models import Transaction as TransactionRow
from ledger.queries.books import Earlier, execute
from ledger.queries.configuration import Configuration, configuration
from ledger.services import exchange, posting
from ledger.services.families import families_of, lots_of_sale
from ledger.services.originals import Original
from ledger.services.posting import LockedBook
from loyalty.dates import start_of_day


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalRequest:
    """What a caller says when it takes an earlier transaction back, whole or in part."""

    original: Original
    partner_id: int
    reference: str | None  # None: Laurel's own.
    digest: bytes
    occurred_at: datetime
    points: int | None = None
    outlet: str | None = None
    reason: str | None = None
    request_id: str | None = None
    part: int = 0  # Of a call that posts several of one kind.
    sale: UUID | None = None  # Of the call that this is a part of, where not the original's.


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Points of a reversed earn that the member no longer had, and how they were treated."""

    point_type: int
    points: int
    treated: str


@dataclass(frozen=True, slots=True)
class Reversed:
    """A reversal that was posted, or (`earlier`) had been before."""

    book: LockedBook
    transaction: Transaction | None
    lots: tuple[Restored, ...] = ()
    shortfall: tuple[Shortfall, ...] = ()
    earlier: Earlier | None = None


def post_redemption_reversal(
    book: LockedBook, original: TransactionRow, request: ReversalRequest
) -> tuple[Transaction, list[Restored]]:
    """Draft one redemption's reversal on a locked and settled book; a step."""
    assert connection.in_atomic_block
    posting.write(book)  # What was just settled counts: the entries are read again below.
    spent = _left_to_restore(original.pk)
    left = sum(entry.points for entry in spent)
    posted_at = book.book.posted_at
    assert posted_at is not None
    if not left:
        raise AlreadyReversed
    points = left if request.points is None else request.points
    if points > left:
        raise ReversalExceeds(requested=points, left=left)
    if original.purpose == exchange.PURPOSE:
        exchange.take_back(original.pk, whole=points == left, reason=request.reason, at=posted_at)
    posting.load_lots(book, [entry.lot for entry in spent if entry.lot])
    transaction = begin(book.book, header_of(Kind.REDEMPTION_REVERSAL, original, request))
    restored = restore(
        book.book,
        transaction,
        spent,
        points,
        payers=lambda point_type: payers_of(book, point_type),
        grace_until=_grace(configuration(book.epoch), transaction.posted_at),
        away=book.away,
    )
    transaction.header.data = {"lots": [msgspec.structs.asdict(each) for each in restored]}
    return finish(book.book, transaction), restored


def header_of(kind: Kind, original: TransactionRow, request: ReversalRequest) -> Header:
    """Return what the books keep of a reversal beside its points."""
    return Header(
        kind=kind,
        partner_id=request.partner_id,
        occurred_at=request.occurred_at,
        reference=request.reference,
        digest=request.digest,
        part=request.part,
        original=original.pk,
        sale=request.sale or original.sale,
        outlet=request.outlet,
        reason=request.reason,
        request_id=request.request_id,
    )


def _grace(settings: Configuration, at: datetime) -> datetime | None:
    if settings.redemption_grace is None:
        return None
    return start_of_day(
        (at + settings.redemption_grace).astimezone(settings.zone).date(), settings.zone
    )


# Points that come back to a merged member's lot come as a new lot of the survivor: what such a
# lot got in the posting that made it counts for the lot it goes on with.
_LOT_OF_ENTRY = """CASE WHEN e.source IN (5, 8) AND l.transaction_id = e.transaction_id
                       THEN l.moved_from ELSE e.lot_id END"""


def _left_to_restore(redemption: UUID) -> list[Entry]:
    """Return a redemption's entries in posting order, less what reversals gave back, by lot."""
    row = execute(
        f"""
        SELECT coalesce(json_agg(json_build_object(
            'point_type', point_type_id, 'lot', lot_id, 'source', source, 'target', target,
            'points', points) ORDER BY id), '[]')::text
        FROM (
            SELECT min(e.id) AS id, e.point_type_id, {_LOT_OF_ENTRY} AS lot_id,
                   coalesce(min(e.source) FILTER (WHERE e.target = %(redeemed)s), %(debt)s)
                       AS source,
                   %(redeemed)s AS target,
                   sum(CASE WHEN e.target = %(redeemed)s THEN e.points ELSE -e.points END)::bigint
                       AS points
            FROM ledger_entry e LEFT JOIN ledger_lot l ON l.id = e.lot_id
            WHERE e.transaction_id IN (
                SELECT %(id)s::uuid UNION ALL
                SELECT id FROM ledger_transaction
                WHERE original = %(id)s AND kind = 'REDEMPTION_REVERSAL')
              AND (e.target = %(redeemed)s OR e.source = %(redeemed)s)
            GROUP BY e.point_type_id, {_LOT_OF_ENTRY}
        ) net WHERE points > 0
        """,
        {"id": redemption, "redeemed": int(Bucket.REDEEMED), "debt": int(Bucket.DEBT)},
    )
    return msgspec.json.decode(row[0], type=list[Entry])


def payers_of(book: LockedBook, point_type: int) -> Iterator[tuple[UUID, int]]:
    """Yield the lots that paid debt, latest first, with what each still has paid; load them.

    Debt moves with a merge, so what a merged member's lots paid counts, too.
    """
    row = execute(
        f"""
        SELECT coalesce(json_agg(json_build_array(lot_id, points) ORDER BY latest DESC), '[]')::text
        FROM (
            SELECT {_LOT_OF_ENTRY} AS lot_id,
                   max(e.id) FILTER (WHERE e.target = %(debt)s) AS latest,
                   sum(CASE WHEN e.target = %(debt)s THEN e.points ELSE -e.points END)::bigint
                       AS points
            FROM ledger_entry e JOIN ledger_lot l ON l.id = e.lot_id
            WHERE e.member_id = ANY (ledger_merged(%(member)s)) AND e.point_type_id = %(type)s
              AND ((e.source = %(available)s AND e.target = %(debt)s)
                   OR (e.source = %(debt)s AND e.target = %(available)s))
            GROUP BY {_LOT_OF_ENTRY}
        ) paid WHERE points > 0
        """,
        {
            "member": book.book.member_id,
            "type": point_type,
            "debt": int(Bucket.DEBT),
            "available": int(Bucket.AVAILABLE),
        },
    )
    payers = msgspec.json.decode(row[0], type=list[tuple[UUID, int]])
    posting.load_lots(book, [lot for lot, _ in payers])
    yield from payers


def post_earn_reversal(
    book: LockedBook, original: TransactionRow, request: ReversalRequest
) -> tuple[Transaction, list[Shortfall]]:
    """Draft the mirror of an earn's lots on a locked and settled book; a step.

    Takes what each lot still has (pending, available, locked) and treats what was spent by the
    point type's debt policy. What has expired, or was reversed before, is not taken twice.

    :raises AlreadyReversed: if the earn was reversed before.
    :raises ReversalRefused: if points were spent and their type's policy is REFUSE.
    """
    assert connection.in_atomic_block
    posting.write(book)  # What was just settled counts: the entries are read again below.
    reversed_before = TransactionRow.objects.filter(
        original=original.pk, kind=Kind.EARN_REVERSAL
    ).exists()
    if reversed_before:
        raise AlreadyReversed
    transaction = begin(book.book, header_of(Kind.EARN_REVERSAL, original, request))
    found, forgiven = take_whole(book, transaction, families_of(book, lots_of_sale(original)))
    transaction.header.data = {
        "shortfall": [[each.point_type, each.points, each.treated] for each in found],
        "lots": reversed_by_lot(transaction, book.book.lots | book.away),
        "forgiven": forgiven,
    }
    return finish(book.book, transaction), found


def take_whole(
    book: LockedBook, transaction: Transaction, families: Iterable[Family]
) -> tuple[list[Shortfall], dict[str, int]]:
    """Take all that lots gave: what is left of them, and the rest as their type's debt policy says.

    Returns the shortfall, and what was forgiven by lot.

    :raises ReversalRefused: if points were spent and their type's policy is REFUSE.
    """
    settings = configuration(book.epoch)
    shortfalls: dict[tuple[int, str], int] = {}
    forgiven: dict[str, int] = {}
    for family in families:
        take_back_of(book.book, transaction, family, family.left)
        missing, lot = family.spent.takeable, family.root
        if not missing:
            continue
        policy = settings.point_types[lot.point_type].debt_policy
        if policy == PointType.DebtPolicy.REFUSE:
            raise ReversalRefused(points=missing)
        if policy == PointType.DebtPolicy.DEBT:
            charge(book.book, transaction, lot, missing)
        else:
            forgiven[str(lot.id)] = missing
        treated = "DEBT" if policy == PointType.DebtPolicy.DEBT else "FORGIVEN"
        key = (lot.point_type, treated)
        shortfalls[key] = shortfalls.get(key, 0) + missing
    found = [Shortfall(kind, points, treated) for (kind, treated), points in shortfalls.items()]
    return found, forgiven


def reversed_by_lot(transaction: Transaction, lots: dict[UUID, Lot]) -> list[dict[str, object]]:
    """Return what a posting took back, by lot, as it is answered."""
    taken: dict[UUID, int] = {}
    for entry in transaction.entries:
        if entry.lot and entry.target is Bucket.REVERSED:
            taken[entry.lot] = taken.get(entry.lot, 0) + entry.points
    return [
        {"lot": lot, "points": points, "expires_at": lots[lot].expires_at, "treated": "REVERSED"}
        for lot, points in taken.items()
    ]
