"""The posting kernel: the only code that locks and writes the books.

A use case locks a book, looks for a replay, settles, checks, posts and writes, in one
transaction (DESIGN 2.2):

    book = posting.lock(member, at=at, find=Find(partner_id, kind, reference))
    if earlier := posting.replayed(book, digest): ...
    posting.settle(book)
    transaction = begin(book.book, Header(...))
    postings.redeem(book.book, transaction, ...)
    finish(book.book, transaction)
    posting.write(book)

`lock` and `write` are one SQL statement each, in hand-written SQL (`ledger/sql`), sent through
a server-side psycopg cursor so that they stay prepared; everything between is memory.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NewType
from uuid import UUID

import msgspec
import psycopg
from django.db import connection
from django.db.utils import IntegrityError

from ledger.kernel.book import Book, Lot
from ledger.kernel.settlement import settle as settle_book
from ledger.queries.books import CardFacts, Earlier, LoadedBook, Lots, OpenBook, execute
from ledger.queries.books import opened as opened_book
from loyalty.errors import MemberNotFound, ReferenceConflict
from members.queries.providers import in_stored_form


class _OpenedBook(msgspec.Struct):
    book: LoadedBook
    card: CardFacts | None
    earlier: list[Earlier] | None


_decode_opened = msgspec.json.Decoder(_OpenedBook).decode


# A book whose row lock this database transaction holds; only `lock` makes one.
LockedBook = NewType("LockedBook", OpenBook)


@dataclass(frozen=True, slots=True)
class Find:
    """A reference to look for under the lock: it is unique per partner and kind."""

    partner_id: int
    kind: str
    reference: str | None


@dataclass(frozen=True, slots=True)
class Alongside:
    """A SQL function called in the same statement with one JSON argument.

    So a purchase reads its facts and stores its evaluation without a statement more, and the
    ledger need not know what they are. Functions are called in order, after the book was locked
    or written; one that is VOLATILE reads what the lock found, in a later snapshot.
    """

    function: str
    argument: bytes = field(repr=False)


_OPEN = "SELECT ledger_open_book(%s::jsonb, %s, %s, %s, %s, %s, %s, %s)::text"


def lock(
    member: dict[str, Any],
    *,
    at: datetime,
    find: Find | None = None,
    lots: Lots = Lots.DUE,
    cover: tuple[int, int] | None = None,
    alongside: Sequence[Alongside] = (),
) -> LockedBook:
    """Lock the book of the member that a reference names, and load it, in one statement.

    `member` is `{"number": …}`, `{"card": …}`, `{"alias": {…}}` or `{"id": …}`; of a merged
    member, the survivor's book is locked. `cover` is a point type and an amount whose
    soonest-expiring lots are loaded. What the functions `alongside` return is in the book's
    `facts`, by their names. The lock is held until the caller's transaction ends.

    :raises MemberNotFound: if the reference names nobody.
    """
    assert connection.in_atomic_block, "points move inside a transaction"
    point_type, amount = cover or (None, None)
    row = execute(
        _OPEN + "".join(f", {each.function}(%s::jsonb)::text" for each in alongside),
        (
            msgspec.json.encode(in_stored_form(member)).decode(),
            at,
            find.partner_id if find else None,
            find.kind if find else None,
            find.reference if find else None,
            str(lots),
            point_type,
            amount,
            *(each.argument.decode() for each in alongside),
        ),
    )
    if row[0] is None:
        raise MemberNotFound
    opened = _decode_opened(row[0])
    book = opened_book(opened.book, at)
    book.card, book.earlier = opened.card, opened.earlier or ()
    book.facts = {each.function: fact for each, fact in zip(alongside, row[1:], strict=True)}
    book.named, book.locked = member, True
    return LockedBook(book)


def lock_many(
    member_ids: Iterable[int], *, at: datetime, lots: Lots = Lots.DUE
) -> dict[int, LockedBook]:
    """Lock the books of several members in key order, in one statement; by member id.

    What is due by `at` is loaded, so that postings up to `at` may follow in the order of time.
    """
    assert connection.in_atomic_block, "points move inside a transaction"
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(
            "SELECT ledger_open_book(jsonb_build_object('id', id), %s, NULL, NULL, NULL, %s, NULL,"
            " NULL)::text FROM (SELECT unnest(%s::bigint[]) AS id ORDER BY 1) m",
            (at, str(lots), sorted(set(member_ids))),
        )
        books = {}
        for (row,) in cursor:
            opened = _decode_opened(row)
            book = opened_book(opened.book, at)
            book.locked = True
            books[opened.book.member.id] = LockedBook(book)
    return books


def hold(member_ids: Iterable[int]) -> None:
    """Lock the books of several members in key order, and load nothing; two statements.

    For what changes a member without moving points, and must not be seen half by a posting.
    """
    assert connection.in_atomic_block, "a lock lasts as long as its transaction"
    wanted = sorted(set(member_ids))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_book (member_id, version, activity)"
            " SELECT id, 0, '{}' FROM unnest(%s::bigint[]) AS m (id) ORDER BY id"
            " ON CONFLICT DO NOTHING",
            [wanted],
        )
        cursor.execute(
            "SELECT 1 FROM ledger_book WHERE member_id = ANY (%s) ORDER BY member_id FOR UPDATE",
            [wanted],
        )


def replayed(book: LockedBook, digest: bytes) -> Earlier | None:
    """Return the transaction that already posted this content under the reference, if one did.

    :raises ReferenceConflict: if the reference names other content.
    """
    if not book.earlier:
        return None
    first = book.earlier[0]
    if first.digest != digest.hex():
        raise ReferenceConflict
    return first


def settle(book: LockedBook) -> None:
    """Post what is due by `posted_at`: lock ends, releases and expiries (DESIGN 2.4)."""
    settle_book(book.book)


def load_lots(book: OpenBook, lot_ids: Iterable[UUID]) -> list[Lot]:
    """Return these lots, open or not, reading those that the book does not hold yet.

    They are read after the lock, in a later snapshot, so they are as the lock found them. Those
    of members who were merged into this one are kept apart, in `away`: nothing of them is left.
    """
    wanted = list(dict.fromkeys(lot_ids))
    own, away = book.book.lots, book.away
    if missing := [key for key in wanted if key not in own and key not in away]:
        row = execute(
            "SELECT coalesce(json_agg(json_build_array(l.member_id,"
            " to_jsonb(l) - '{open,member_id,point_type_id}'::text[]"
            " || jsonb_build_object('point_type', l.point_type_id))), '[]')::text"
            " FROM ledger_lot l WHERE l.member_id = ANY (ledger_merged(%s)) AND l.id = ANY(%s)",
            (book.book.member_id, missing),
        )
        for member_id, lot in msgspec.json.decode(row[0], type=list[tuple[int, Lot]]):
            (own if member_id == book.book.member_id else away)[lot.id] = lot
    return [own.get(key) or away[key] for key in wanted]


def write(book: LockedBook, *, alongside: Sequence[Alongside] = ()) -> None:
    """Write a book's draft in one statement; see `write_many`."""
    write_many([book], alongside=alongside)


def write_many(books: Iterable[LockedBook], *, alongside: Sequence[Alongside] = ()) -> None:
    """Write the drafts of locked books in one statement; one with nothing to say is left alone.

    What the postings left due already, such as points granted past their date, is settled first.

    :raises ReferenceConflict: if another transaction took one of the references meanwhile.
    """
    drafted = []
    for each in books:
        if each.book.transactions:
            settle_book(each.book)
        if each.book.transactions or _was_due(each):
            drafted.append(each)
    if not drafted:
        return
    draft = encode_draft(drafted)
    statement = "SELECT ledger_post(%s::jsonb)"
    statement += "".join(f", {each.function}(%s::jsonb)" for each in alongside)
    arguments = (draft.decode(), *(each.argument.decode() for each in alongside))
    try:
        execute(statement, arguments)
    except IntegrityError as error:
        if _constraint_of(error) == "ledger_transaction_reference":
            raise ReferenceConflict from error
        raise
    for each in drafted:
        _mark_written(each)


def encode_draft(books: Sequence[OpenBook]) -> bytes:
    """Return the drafts of books as the JSON document that `ledger_post` writes."""
    return msgspec.json.encode(
        {
            "books": [
                {
                    "member_id": each.book.member_id,
                    "from_version": each.from_version,
                    "version": each.book.version,
                    "last_posted_at": each.book.posted_at,
                    "due_at": each.book.due_at(),
                    "activity": each.book.activity,
                }
                for each in books
            ],
            "accounts": _rows((each.book, each.book.accounts.values()) for each in books),
            "transactions": [row for each in books for row in _transaction_rows(each.book)],
            "entries": [row for each in books for row in _entry_rows(each.book)],
            "new_lots": _rows(
                (each.book, (each.book.lots[key] for key in each.book.new_lots)) for each in books
            ),
            "changed_lots": _rows(
                (
                    each.book,
                    (each.book.lots[key] for key in each.book.changed_lots - each.book.new_lots),
                )
                for each in books
            ),
            "locks": _rows(
                (
                    each.book,
                    (each.book.locks[key] for key in each.book.new_locks | each.book.changed_locks),
                )
                for each in books
            ),
            "extended": [
                {"member_id": each.book.member_id, "expiry": policy, "expires_at": instant}
                for each in books
                for policy, instant in each.book.extended.items()
            ],
        }
    )


def _was_due(book: OpenBook) -> bool:
    """Return whether the book's due instant had come, though perhaps nothing was due after all."""
    assert book.book.posted_at is not None
    return book.from_due is not None and book.from_due <= book.book.posted_at


def _rows(parts: Iterable[tuple[Book, Iterable[msgspec.Struct]]]) -> list[dict[str, Any]]:
    return [
        {"member_id": book.member_id, **msgspec.structs.asdict(row)}
        for book, rows in parts
        for row in rows
    ]


def _transaction_rows(book: Book) -> Iterable[dict[str, Any]]:
    for transaction in book.transactions:
        header = msgspec.structs.asdict(transaction.header)
        digest = transaction.header.digest
        yield {
            **header,
            "digest": digest.hex() if digest else None,
            "id": transaction.id,
            "member_id": book.member_id,
            "version": transaction.version,
            "posted_at": transaction.posted_at,
            "effects": transaction.effects,
        }


def _entry_rows(book: Book) -> Iterable[dict[str, Any]]:
    for transaction in book.transactions:
        for entry in transaction.entries:
            yield {
                "member_id": book.member_id,
                "transaction_id": transaction.id,
                "version": transaction.version,
                **msgspec.structs.asdict(entry),
            }


def _mark_written(book: OpenBook) -> None:
    """Let the same unit go on with the book from where it now stands."""
    kept = book.book
    book.from_version, book.from_due = kept.version, None
    kept.last_posted_at = kept.posted_at
    kept.transactions = []
    for each in (kept.new_lots, kept.changed_lots, kept.new_locks, kept.changed_locks):
        each.clear()
    kept.extended = {}


def _constraint_of(error: BaseException) -> str | None:
    cause = error.__cause__
    return cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None
