"""The cost of a posting follows what it asks for, not how much a member has."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from ledger.models import PointType
from ledger.queries.books import Lots
from ledger.services import posting
from tests.factories.ledger import give

pytestmark = pytest.mark.usefixtures("member")


@pytest.fixture
def rich(member):
    """A member with forty lots, one a day."""
    now = datetime.now(UTC)
    for day in range(40):
        give(member, 10, lives=timedelta(days=100 + day), at=now)
    return member


@pytest.mark.parametrize(("points", "lots"), [(5, 1), (10, 1), (25, 3), (10_000, 40)])
def test_a_redemption_loads_the_lots_that_cover_it(points, lots, rich):
    point_type = PointType.objects.get().pk
    with transaction.atomic():
        book = posting.lock(
            {"id": rich.pk}, at=datetime.now(UTC), lots=Lots.COVER, cover=(point_type, points)
        )

    assert len(book.book.lots) == lots


def test_an_earn_loads_no_lots_while_nothing_is_due(rich):
    with transaction.atomic():
        book = posting.lock({"id": rich.pk}, at=datetime.now(UTC))

    assert book.book.lots == {}


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (
            "SELECT id FROM ledger_lot WHERE member_id = 1 AND point_type_id = 1 AND open"
            " ORDER BY expires_at, version, seq LIMIT 5",
            "lot_spending_order",
        ),
        (
            "SELECT id FROM ledger_transaction WHERE member_id = 1 AND version < 9"
            " ORDER BY version DESC LIMIT 50",
            "ledger_transaction_version",
        ),
        (
            "SELECT id FROM ledger_transaction WHERE partner_id = 1 AND kind = 'EARN'"
            " AND reference = 'x'",
            "ledger_transaction_reference",
        ),
        ("SELECT member_id FROM ledger_book WHERE due_at <= now()", "book_due"),
        ("SELECT id FROM ledger_transaction WHERE original = gen_random_uuid()", "original"),
    ],
)
def test_a_hot_query_uses_its_index(query, index, rich):
    with connection.cursor() as cursor:
        # Forty rows are read faster without an index; what is asked is whether one fits.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {query}")
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert index in plan
    assert "Sort" not in plan
