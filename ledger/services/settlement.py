"""The sweep: settling the quiet books, in chunks by key.

Postings settle their own book; the sweep reaches those that nobody touches, so that releases
and expiries are announced in time. Safe to repeat: what has been settled is no longer due.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from ledger.queries.books import Lots, execute
from ledger.services import posting
from loyalty.services.use_case import use_case

CHUNK = 5_000  # Books per transaction: short locks, and a lost worker loses little.


@dataclass(frozen=True, slots=True)
class Chunk:
    """How far a sweep came (`last` is None at the end), and what it moved, in points."""

    last: int | None
    members: int = 0
    released: int = 0
    expired: int = 0


@use_case
def settle_chunk(*, after: int, at: datetime, at_most: int = CHUNK) -> Chunk:
    """Settle the next books by key that have something due at `at`; return how far it came.

    Two statements: one locks the books in key order, the next works on the later snapshot.
    Books with open locks or debt go through the kernel one by one; few have either.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '10s'")
        cursor.execute("SET LOCAL statement_timeout = '120s'")
        cursor.execute("SELECT * FROM ledger_lock_due(%s, %s, %s)", [after, at, at_most])
        simple, complex_ones = cursor.fetchone()
        released = expired = 0
        if simple:
            cursor.execute("SET LOCAL enable_nestloop = off")
            cursor.execute("SELECT * FROM ledger_settle_many(%s, %s)", [simple, at])
            released, expired, _ = cursor.fetchone()
            cursor.execute("SET LOCAL enable_nestloop = on")
    for member_id in sorted(complex_ones):
        book = posting.lock({"id": member_id}, at=at, lots=Lots.ALL)
        before = {key: account.expired for key, account in book.book.accounts.items()}
        posting.settle(book)
        posting.write(book)
        expired += sum(
            account.expired - before.get(key, 0) for key, account in book.book.accounts.items()
        )
    members = len(simple) + len(complex_ones)
    last = max([*simple, *complex_ones], default=None)
    return Chunk(last, members, released, expired)


def count_due(at: datetime) -> int:
    """Return how many books have something due at an instant."""
    row = execute("SELECT count(*) FROM ledger_book WHERE due_at <= %s", (at,))
    return int(row[0])
