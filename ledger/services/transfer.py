"""Transfers: moving what one member holds to another, and back while nothing was touched."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection

from ledger.errors import BookMoved
from ledger.kernel.book import Account, Transaction
from ledger.kernel.transfers import transfer, transfer_all
from ledger.models import Transaction as TransactionRow
from ledger.queries.books import Lots, execute, read
from ledger.services import posting
from ledger.services.posting import LockedBook


@dataclass(frozen=True, slots=True)
class Pair:
    """Two locked books, settled at one instant: points go from the giver to the taker."""

    giver: LockedBook
    taker: LockedBook


@dataclass(frozen=True, slots=True)
class Transferred:
    """The two postings of a transfer: out of the one book, into the other."""

    out: Transaction
    into: Transaction


def lock_pair(giver_id: int, taker_id: int, *, at: datetime) -> Pair:
    """Lock the books of two members in key order, whole, and settle both at one instant; a step.

    :raises BookMoved: if one of them was merged meanwhile: its points are elsewhere now.
    """
    assert connection.in_atomic_block
    books = posting.lock_many([giver_id, taker_id], at=at, lots=Lots.ALL)
    if set(books) != {giver_id, taker_id}:
        raise BookMoved
    return _settled(Pair(books[giver_id], books[taker_id]))


def read_pair(giver_id: int, taker_id: int, *, at: datetime) -> Pair:
    """Return the books of two members as `lock_pair` would, unlocked: for a preview alone."""
    giver, taker = (read({"id": key}, at=at, lots=Lots.ALL) for key in (giver_id, taker_id))
    return _settled(Pair(LockedBook(giver), LockedBook(taker)))


def _settled(pair: Pair) -> Pair:
    books = (pair.giver, pair.taker)
    together = max(each.book.posted_at for each in books if each.book.posted_at)
    for each in books:
        each.book.open_at(together)
        posting.settle(each)
    return pair


def transfer_everything(pair: Pair, *, reason: str, request_id: str | None = None) -> Transferred:
    """Move everything the giver holds to the taker, and write both books; a step."""
    moved = draft(pair, reason=reason, request_id=request_id)
    posting.write_many([pair.giver, pair.taker])
    return moved


def draft(pair: Pair, *, reason: str, request_id: str | None = None) -> Transferred:
    """Draft the move of everything, in memory alone: the preview of a merge stops here."""
    data = {"from": pair.giver.member.number, "into": pair.taker.member.number}
    books = (pair.giver.book, pair.taker.book)
    return Transferred(*transfer_all(*books, reason=reason, data=data, request_id=request_id))


def transfer_back(
    pair: Pair, earlier: UUID, *, reason: str, request_id: str | None = None
) -> Transferred:
    """Move back what an earlier transfer (named by its posting in the giver's book) brought.

    What expired since stays expired. That nothing else touched it is proved before, by `touched`.
    """
    assert connection.in_atomic_block
    brought = execute(
        "SELECT coalesce(json_agg(id), '[]') FROM ledger_lot"
        " WHERE member_id = %s AND transaction_id = %s",
        (pair.giver.book.member_id, earlier),
    )
    wanted = {UUID(key) for key in brought[0]}
    book = pair.giver.book
    data = {"from": pair.giver.member.number, "into": pair.taker.member.number, "undoes": earlier}
    moved = transfer(
        book,
        pair.taker.book,
        lots=sorted(
            (lot for key, lot in book.lots.items() if key in wanted),
            key=lambda lot: (lot.version, lot.seq),
        ),
        locks=[
            lock
            for lock in book.locks.values()
            if lock.open and any(h.lot in wanted and (h.points or h.marked) for h in lock.lots)
        ],
        debts=_debts_of(earlier),
        reason=reason,
        data=data,
        request_id=request_id,
    )
    posting.write_many([pair.giver, pair.taker])
    return Transferred(*moved)


def _debts_of(transfer_id: UUID) -> dict[int, int]:
    """Return the debt that a transfer brought, by point type."""
    row = execute(
        "SELECT coalesce(json_agg(json_build_array(point_type_id, points)), '[]')::text"
        " FROM ledger_entry WHERE transaction_id = %s AND source = 8 AND target = 9",
        (transfer_id,),
    )
    return dict(msgspec.json.decode(row[0], type=list[tuple[int, int]]))


class Touch(msgspec.Struct, frozen=True):
    """A posting that used what a transfer had brought, so that it cannot be moved back."""

    why: str
    transaction: UUID
    kind: str


# What Laurel posts by itself as time passes (a release, an expiry, the end of a lock) is no touch.
_TOUCHED = """
WITH brought AS (
    SELECT id FROM ledger_lot WHERE member_id = %(member)s AND transaction_id = %(transfer)s
), later AS (
    SELECT id, kind, version, original, reference, lock FROM ledger_transaction t
    WHERE t.member_id = %(member)s AND t.version >= %(version)s
)
SELECT coalesce(json_agg(json_build_object('why', why, 'transaction', id, 'kind', kind)
                         ORDER BY version), '[]')::text
FROM (
    SELECT DISTINCT 'POINTS_USED' AS why, t.id, t.kind, t.version
    FROM ledger_entry e JOIN later t ON t.id = e.transaction_id
    WHERE e.lot_id IN (SELECT id FROM brought) AND t.id <> %(transfer)s
      AND NOT (t.reference IS NULL AND t.kind IN ('RELEASE', 'EXPIRY', 'UNLOCK'))
    UNION
    SELECT DISTINCT 'DEBT_PAID', t.id, t.kind, t.version
    FROM ledger_entry e JOIN later t ON t.id = e.transaction_id
    WHERE e.source = 3 AND e.target = 8
      AND (e.lot_id IN (SELECT id FROM brought)
           OR e.point_type_id IN (
               SELECT point_type_id FROM ledger_entry
               WHERE transaction_id = %(transfer)s AND source = 8 AND target = 9))
    UNION
    SELECT 'SALE_TAKEN_BACK', t.id, t.kind, t.version
    FROM later t JOIN ledger_transaction o ON o.id = t.original
    WHERE o.member_id = ANY (%(merged)s) AND t.kind NOT IN ('TRANSFER', 'UNLOCK', 'LOCK')
    UNION
    SELECT 'POINTS_HELD', t.id, t.kind, t.version
    FROM later t
    JOIN ledger_pointlock k ON k.id = t.lock AND k.open AND t.kind = 'LOCK'
    JOIN ledger_lockedlot h ON h.lock_id = k.id AND h.marked
    WHERE h.lot_id IN (SELECT id FROM brought)
) touched
"""


def touched(pair: Pair, earlier: UUID) -> list[Touch]:
    """Return the postings that used what a transfer had brought to the giver; none: it may go back.

    That is: points of the lots it brought were spent, held, adjusted or taken back; debt was paid
    with them, or the debt it brought was paid; or a sale from before the merge was taken back. Read
    under both locks; call it before anything is drafted.
    """
    version = TransactionRow.objects.values_list("version", flat=True).get(pk=earlier)
    row = execute(
        _TOUCHED,
        {
            "member": pair.giver.book.member_id,
            "merged": _merged(pair.taker.book.member_id),
            "transfer": earlier,
            "version": version,
        },
    )
    return msgspec.json.decode(row[0], type=list[Touch])


def _merged(member_id: int) -> list[int]:
    row = execute("SELECT ledger_merged(%s)", (member_id,))
    return list(row[0])


def brought_by(transaction: Transaction) -> list[Account]:
    """Return what a transfer brought into a book, by point type and state, before debt was paid."""
    moved: dict[int, Account] = {}
    for entry in transaction.entries:
        account = moved.setdefault(entry.point_type, Account(entry.point_type))
        if entry.source.name == "TRANSFERRED":
            name = entry.target.name.lower()
            setattr(account, name, getattr(account, name) + entry.points)
        elif entry.target.name == "TRANSFERRED":
            account.debt += entry.points
    return sorted(moved.values(), key=lambda account: account.point_type)
