"""Months that are closed while tills post, and by two settlers at once."""

import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection

from ledger.models import Transaction
from ledger.services import partner_settlement
from ledger.services.partner_settlement import close_books, settle_month
from loyalty.models import Program
from partners.models import Partner
from tests.factories.ledger import give
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory
from tests.ledger.settlement_story import NOW, OCTOBER, Story, documented, lines, rate


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("committed_program")
class TestRace:
    """A posting is under way while the month is closed."""

    def close_beside_a_posting(self, monkeypatch):
        """Post with a clock of October, and close while the book is locked; return both ends."""
        partner, member = PartnerFactory(code="GROCER"), MemberFactory()
        rate(partner, "EARN", "0.01")
        opened, closing = threading.Event(), threading.Event()
        from ledger.services import posting

        whole = posting.settle

        def slow(book):
            opened.set()
            closing.wait(timeout=10)
            return whole(book)

        monkeypatch.setattr(posting, "settle", slow)

        def post():
            try:
                give(member, 10, at=datetime(2026, 10, 31, 12, tzinfo=UTC), partner=partner)
            finally:
                connection.close()

        thread = threading.Thread(target=post)
        thread.start()
        opened.wait(timeout=10)
        threading.Timer(0.3, closing.set).start()
        settle_month(OCTOBER, at=NOW)
        thread.join()

    def test_the_close_waits_for_it(self, monkeypatch):
        self.close_beside_a_posting(monkeypatch)

        assert lines() == [("GROCER", "EARNED", 10, Decimal("0.01"), Decimal("0.10"))]

    @pytest.mark.broken_books
    def test_without_the_lock_it_would_be_missed(self, monkeypatch):
        """Prove that the race above is a real one: the posting is settled with nobody."""

        def unlocked(until):
            Program.objects.update(books_closed_until=until)

        monkeypatch.setattr(partner_settlement, "close_books", unlocked)
        self.close_beside_a_posting(monkeypatch)

        assert lines() == []
        assert Transaction.objects.get().posted_at < Program.objects.get().books_closed_until

    def test_two_settle_it_as_one(self):
        story = Story().play()
        close_books(datetime(2026, 10, 31, 23, tzinfo=UTC))
        barrier, found = threading.Barrier(2), []

        def settle():
            barrier.wait()
            try:
                found.append(settle_month(OCTOBER, at=NOW).statements)
            finally:
                connection.close()

        threads = [threading.Thread(target=settle) for _ in range(2)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

        assert found == [4, 4]
        assert lines() == documented()
        assert Partner.objects.filter(pk=story.air.pk).exists()
