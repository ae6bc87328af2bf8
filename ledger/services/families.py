"""Families: lots that were granted, with what merges made of them, and what left them for good."""

from collections.abc import Iterable
from uuid import UUID

import msgspec

from ledger.kernel.book import Bucket
from ledger.kernel.reversals import Family, Spent, spent_by
from ledger.models import Transaction as TransactionRow
from ledger.queries.books import OpenBook, execute
from ledger.services import posting


def lots_of_sale(original: TransactionRow) -> list[UUID]:
    """Return the lots that a sale gave, and those that its returns gave more."""
    row = execute(
        "SELECT coalesce(array_agg(l.id ORDER BY l.version, l.seq), '{}')"
        " FROM ledger_transaction t JOIN ledger_lot l ON l.transaction_id = t.id"
        " WHERE t.id = %(id)s OR (t.original = %(id)s AND t.kind = 'RETURN')",
        {"id": original.pk},
    )
    return list(row[0])


class _FamilyRow(msgspec.Struct):
    root: UUID
    lots: list[UUID]
    spent: Spent


def _add_drafted(book: OpenBook, rows: Iterable[_FamilyRow]) -> None:
    """Add what the unit has drafted and not written yet to what left each lot for good."""
    owner = {lot: row for row in rows for lot in (row.root, *row.lots)}
    for transaction in book.book.transactions:
        for entry in transaction.entries:
            row = owner.get(entry.lot) if entry.lot else None
            if row is None:
                continue
            change = spent_by(entry)
            row.spent = Spent(
                redeemed=row.spent.redeemed + change.redeemed,
                paid=row.spent.paid + change.paid,
                owed=row.spent.owed + change.owed,
                forgiven=row.spent.forgiven,
            )


_FAMILIES = """
WITH RECURSIVE family (root, id, member_id) AS (
    SELECT id, id, member_id FROM ledger_lot WHERE id = ANY (%(lots)s)
    UNION ALL
    SELECT f.root, l.id, l.member_id
    FROM family f JOIN ledger_lot l ON l.moved_from = f.id
)
SELECT coalesce(json_agg(json_build_object(
    'root', r.root, 'lots', r.lots, 'spent', json_build_object(
        'redeemed', r.redeemed, 'paid', r.paid, 'owed', r.owed,
        'forgiven', coalesce(g.forgiven, 0)))), '[]')::text
FROM (
    SELECT f.root,
           coalesce(array_agg(f.id) FILTER (WHERE f.member_id = %(member)s), '{}') AS lots,
           coalesce(sum(e.redeemed), 0)::bigint AS redeemed,
           coalesce(sum(e.paid), 0)::bigint AS paid,
           coalesce(sum(e.owed), 0)::bigint AS owed
    FROM family f
    CROSS JOIN LATERAL (
        SELECT sum(CASE WHEN target = %(redeemed)s THEN points
                        WHEN source = %(redeemed)s THEN -points END) AS redeemed,
               sum(CASE WHEN source = %(available)s AND target = %(debt)s THEN points
                        WHEN source = %(debt)s AND target = %(available)s THEN -points END)
                   AS paid,
               sum(CASE WHEN source = %(debt)s AND target = %(reversed)s THEN points
                        WHEN source = %(reversed)s AND target = %(debt)s THEN -points END)
                   AS owed
        FROM ledger_entry WHERE lot_id = f.id
    ) e
    GROUP BY f.root
) r
LEFT JOIN LATERAL (
    SELECT sum((t.data -> 'forgiven' ->> r.root::text)::bigint)::bigint AS forgiven
    FROM ledger_lot lot
    JOIN ledger_transaction given ON given.id = lot.transaction_id
    -- By key alone: an OR of two ways to the original would read the ledger whole.
    CROSS JOIN LATERAL (
        SELECT given.id AS original UNION SELECT given.original
        UNION SELECT id FROM ledger_transaction
        WHERE original IN (given.id, given.original) AND kind = 'RETURN'
    ) way
    JOIN ledger_transaction t ON t.original = way.original
        AND (t.original IN (given.id, given.original) OR t.kind = 'RETURN_REVERSAL')
    WHERE lot.id = r.root AND t.data -> 'forgiven' ? r.root::text
) g ON true"""


def families_of(book: OpenBook, lot_ids: list[UUID]) -> list[Family]:
    """Return granted lots with what left each for good, net, and the lots that have the rest.

    A merge may have moved what was left to lots of the survivor, and a reversal since may have
    brought back more; all of them are one family, whose sums are those of the lot that was granted.
    """
    row = execute(
        _FAMILIES,
        {
            "lots": lot_ids,
            "member": book.book.member_id,
            "redeemed": int(Bucket.REDEEMED),
            "available": int(Bucket.AVAILABLE),
            "debt": int(Bucket.DEBT),
            "reversed": int(Bucket.REVERSED),
        },
    )
    rows = {row.root: row for row in msgspec.json.decode(row[0], type=list[_FamilyRow])}
    _add_drafted(book, rows.values())
    posting.load_lots(book, [*lot_ids, *(key for each in rows.values() for key in each.lots)])
    return [
        Family(
            root=book.book.lots.get(key) or book.away[key],
            lots=sorted(
                (book.book.lots[each] for each in rows[key].lots),
                key=lambda lot: (lot.version, lot.seq),
            ),
            spent=rows[key].spent,
        )
        for key in lot_ids
    ]
