"""Undoing a return: what it took comes back, and what it gave is taken."""

from uuid import UUID

import msgspec
from django.db import connection

from ledger.kernel.book import Bucket, Entry, Kind, Transaction, begin, finish
from ledger.kernel.reversals import give_back
from ledger.models import Transaction as TransactionRow
from ledger.queries.books import execute
from ledger.services import posting
from ledger.services.families import families_of
from ledger.services.posting import LockedBook
from ledger.services.reversal import (
    ReversalRequest,
    header_of,
    payers_of,
    reversed_by_lot,
    take_whole,
)


def post_return_reversal(
    book: LockedBook, original: TransactionRow, request: ReversalRequest
) -> Transaction:
    """Draft the mirror of a return on a locked and settled book; a step.

    The caller has made sure that it was not undone before, and that nothing came back of its sale
    after it: then the books are as if it had never been.

    :raises ReversalRefused: if what it gave was spent and the type's policy is REFUSE.
    """
    assert connection.in_atomic_block
    posting.write(book)  # The entries are read again below.
    entries = _entries_of(original.pk)
    taken = [each for each in entries if each.target is Bucket.REVERSED]
    gave = [each.lot for each in entries if each.source is Bucket.ISSUED and each.lot]
    posting.load_lots(book, [each.lot for each in taken if each.lot])
    transaction = begin(book.book, header_of(Kind.RETURN_REVERSAL, original, request))
    shortfall, forgiven = take_whole(book, transaction, families_of(book, gave))
    lots = reversed_by_lot(transaction, book.book.lots | book.away)
    restored = give_back(
        book.book,
        transaction,
        taken,
        payers=lambda point_type: payers_of(book, point_type),
        away=book.away,
    )
    for lot, points in ((original.data or {}).get("forgiven") or {}).items():
        forgiven[lot] = forgiven.get(lot, 0) - points
    transaction.header.data = {
        "shortfall": [[each.point_type, each.points, each.treated] for each in shortfall],
        "lots": [*lots, *(msgspec.structs.asdict(each) for each in restored)],
        "forgiven": forgiven,
    }
    return finish(book.book, transaction)


def _entries_of(transaction_id: UUID) -> list[Entry]:
    """Return what a posting moved, in order. One query."""
    row = execute(
        "SELECT coalesce(json_agg(json_build_object('point_type', point_type_id, 'lot', lot_id,"
        " 'source', source, 'target', target, 'points', points) ORDER BY id), '[]')::text"
        " FROM ledger_entry WHERE transaction_id = %s",
        (transaction_id,),
    )
    return msgspec.json.decode(row[0], type=list[Entry])
