"""The sweep of what is due, against one plain UPDATE of the same number of lots."""

import time
from datetime import UTC, datetime, timedelta

from django.db import connection

from ledger.services import settlement

CHUNK_SIZES = (10_000, 5_000)


def measure(lots: int) -> tuple[int, float, float]:
    """Return how many lots expired, the sweep's seconds, and the plain UPDATE's.

    Each member has five due lots. The sweep is run at two chunk sizes, half the members each,
    because plans that are quadratic in the chunk hide at one.
    """
    members = lots // 5
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM members_member")
        members = min(members, cursor.fetchone()[0])
        _fill(cursor, members)
        lots = members * 5
        cursor.execute("CREATE TEMPORARY TABLE plain AS SELECT * FROM ledger_lot")
        cursor.execute("CREATE INDEX ON plain (id)")
        cursor.execute("ANALYZE plain")
        began = time.perf_counter()
        cursor.execute("UPDATE plain SET available = 0, open = false")
        plain = time.perf_counter() - began
    at = datetime.now(UTC)
    began = time.perf_counter()
    after = 0
    for half, size in enumerate(CHUNK_SIZES, 1):
        while after < members * half // 2:
            chunk = settlement.settle_chunk(after=after, at=at, at_most=size)
            if chunk.last is None:
                break
            after = chunk.last
    swept = time.perf_counter() - began
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE ledger_book, ledger_account, ledger_transaction, ledger_lot, ledger_entry,"
            " loyalty_outboxevent RESTART IDENTITY"
        )
    return lots, swept, plain


def _fill(cursor, members: int) -> None:
    """Give each member five lots that are past their date, by SQL: they are only to be expired."""
    due = datetime.now(UTC) - timedelta(hours=1)
    cursor.execute(
        "INSERT INTO ledger_book (member_id, version, last_posted_at, due_at, activity)"
        " SELECT g, 5, %(due)s - interval '1 day', %(due)s, '{}' FROM generate_series(1, %(n)s) g",
        {"due": due, "n": members},
    )
    cursor.execute(
        "INSERT INTO ledger_account (member_id, point_type_id, available, pending, locked, debt,"
        " earned, redeemed, expired, reversed) SELECT g, 1, 50, 0, 0, 0, 50, 0, 0, 0"
        " FROM generate_series(1, %s) g",
        [members],
    )
    cursor.execute(
        "INSERT INTO ledger_lot (id, member_id, point_type_id, transaction_id, version, seq,"
        " partner_id, granted, pending, available, locked, open, available_at, expires_at, expiry)"
        " SELECT gen_random_uuid(), g, 1, gen_random_uuid(), v, 0, 1, 10, 0, 10, 0, true,"
        " %(due)s - interval '1 year', %(due)s, '' FROM generate_series(1, %(n)s) g,"
        " generate_series(1, 5) v",
        {"due": due, "n": members},
    )
    cursor.execute("ANALYZE")
