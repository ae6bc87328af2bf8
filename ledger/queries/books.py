"""Reading a member's book: one statement, one snapshot, settled in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from django.db import connection

from ledger.kernel.book import Account, Book, Lock, Lot
from ledger.kernel.settlement import settle
from loyalty.errors import MemberNotFound
from members.queries.providers import in_stored_form


class Lots(StrEnum):
    """Which lots an operation needs beside those that are due."""

    DUE = "DUE"
    COVER = "COVER"
    ALL = "ALL"


class MemberFacts(msgspec.Struct):
    """What a posting has to know of the member, as it stands under the lock."""

    id: int
    number: str
    stage: str
    tier: str | None
    enrolled_by: int | None
    joined_at: datetime
    currency: str = ""
    pin_above: Decimal | None = None
    pin_above_per_day: Decimal | None = None


class CardFacts(msgspec.Struct):
    """The card by which the member was named; since when it is lost, stolen or replaced."""

    number: str
    status: str
    reported_at: datetime | None


class Earlier(msgspec.Struct):
    """A transaction that a reference already names."""

    id: UUID
    digest: str | None
    part: int


class LoadedBook(msgspec.Struct):
    member: MemberFacts
    house: int
    epoch: int
    version: int
    last_posted_at: datetime | None
    due_at: datetime | None
    later_due: datetime | None
    activity: list[str]
    accounts: list[Account]
    lots: list[Lot]
    locks: list[Lock]


@dataclass(slots=True)
class OpenBook:
    """A member's book with what else was read beside it."""

    book: Book
    member: MemberFacts
    epoch: int
    from_version: int
    from_due: datetime | None = None
    card: CardFacts | None = None
    earlier: Sequence[Earlier] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    named: Mapping[str, Any] = field(default_factory=dict)
    away: dict[UUID, Lot] = field(default_factory=dict)  # Lots of members who were merged into it.
    locked: bool = False  # Else it was only read: what is drafted on it is never written.


_decode_loaded = msgspec.json.Decoder(LoadedBook).decode


def read(member: dict[str, Any], *, at: datetime, lots: Lots = Lots.DUE) -> OpenBook:
    """Return a member's book as it stands at `at`, settled in memory; nothing is written.

    One statement, one snapshot. The figures equal those that a posting at `at` would settle to,
    because both are settled by the same function.

    :raises MemberNotFound: if the reference names nobody.
    """
    row = execute(
        "SELECT ledger_load_book(ledger_resolve(%s::jsonb), %s, %s, NULL, NULL)::text",
        (msgspec.json.encode(in_stored_form(member)).decode(), at, str(lots)),
    )
    if row[0] is None:
        raise MemberNotFound
    book = opened(_decode_loaded(row[0]), at)
    settle(book.book)
    return book


def opened(loaded: LoadedBook, at: datetime) -> OpenBook:
    """Return the book in memory of what was loaded, with `posted_at` fixed for `at`."""
    book = Book(
        member_id=loaded.member.id,
        version=loaded.version,
        house=loaded.house,
        accounts={account.point_type: account for account in loaded.accounts},
        last_posted_at=loaded.last_posted_at,
        later_due=loaded.later_due,
        activity=loaded.activity,
        lots={lot.id: lot for lot in loaded.lots},
        locks={each.id: each for each in loaded.locks},
    )
    book.open_at(at)
    return OpenBook(book, loaded.member, loaded.epoch, loaded.version, loaded.due_at)


def execute(statement: str, arguments: Sequence[Any] | Mapping[str, Any]) -> tuple[Any, ...]:
    """Run one prepared statement that answers one row, and return that row.

    Django's own cursor binds on the client, which cannot be prepared; a psycopg cursor of the
    same connection can, and takes part in the same transaction.
    """
    connection.ensure_connection()
    raw = connection.connection
    with connection.wrap_database_errors, psycopg.Cursor(raw) as cursor:
        cursor.execute(statement, arguments, prepare=True)
        row: tuple[Any, ...] | None = cursor.fetchone()
    assert row is not None
    return row
