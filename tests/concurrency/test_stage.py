"""A stage changes while tills post: each posting is whole before it, or judged after it."""

import threading
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from django.db import connection, transaction

from ledger.models import Transaction
from ledger.services import posting, stage
from ledger.services.redemption import RedemptionRequest, post_redemption
from ledger.services.stage import Wanted
from loyalty.caller import Actor
from loyalty.errors import LoyaltyError
from members.models import Activity, Member
from partners.models import Partner
from tests.concurrency.test_redemption import race, redeem
from tests.factories.ledger import balance, give
from tests.factories.members import MemberFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def spender(committed_program):
    member = MemberFactory()
    give(member, 1000)
    return member


def move(member, wanted):
    with transaction.atomic():
        by = Actor.staff("boss")
        stage.change_member(
            {"id": member.pk}, Wanted(stage=wanted, reason="Race.", by=by), at=datetime.now(UTC)
        )


def test_tills_that_come_after_a_closing_are_refused_and_nothing_is_left(spender):
    def act(till):
        if till == 7:
            move(spender, "CLOSED")
        else:
            redeem(spender, 10, f"T{till}")

    outcomes = race(act)

    went = Transaction.objects.filter(kind="REDEMPTION").count()
    assert outcomes.count("done") == went + 1
    assert outcomes.count("STAGE_FORBIDS") == 19 - went
    account = balance(spender)
    assert (account.redeemed, account.expired, account.available) == (
        went * 10,
        1000 - went * 10,
        0,
    )
    versions = Transaction.objects.filter(kind="REDEMPTION").values_list("version", flat=True)
    closing = Transaction.objects.get(kind="EXPIRY").version
    assert all(version < closing for version in versions)


def suspended_in_between(spender):
    """Suspend a member while a till is between reading the stage and posting; say who was first."""
    read, order = threading.Event(), []

    def till():
        try:
            with transaction.atomic():
                now = datetime.now(UTC)
                book = posting.lock({"id": spender.pk}, at=now, lots="ALL")
                read.set()
                threading.Event().wait(0.4)
                request = RedemptionRequest(
                    member={"id": spender.pk},
                    partner_id=Partner.objects.get(is_house=True).pk,
                    reference="T",
                    digest=b"x",
                    occurred_at=now,
                    point_type="PTS",
                    points=10,
                )
                post_redemption(book, request, at=now)
                posting.write(book)
            order.append("till")
        finally:
            connection.close()

    def helpdesk():
        try:
            read.wait()
            move(spender, "SUSPENDED")
            order.append("helpdesk")
        finally:
            connection.close()

    threads = [threading.Thread(target=each) for each in (till, helpdesk)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return order


def test_a_change_waits_for_the_posting_that_has_read_the_stage(spender):
    assert suspended_in_between(spender) == ["till", "helpdesk"]
    assert Member.objects.get(pk=spender.pk).stage == "SUSPENDED"


def test_without_the_books_lock_a_suspended_member_spends(spender, monkeypatch):
    """Prove that the wait above is the lock's: without it the suspension comes first."""
    whole = posting.lock
    helpdesk = []

    def lock(member, **options):
        if "lots" in options:
            return whole(member, **options)
        helpdesk.append(1)
        from ledger.queries.books import read

        return read(member, at=options["at"])

    monkeypatch.setattr(posting, "lock", lock)
    monkeypatch.setattr(posting, "hold", lambda ids: None)

    assert suspended_in_between(spender) == ["helpdesk", "till"]
    assert helpdesk
    assert balance(spender).redeemed == 10


def test_two_that_change_one_stage_at_once_make_one_history(spender):
    def act(till):
        move(spender, "SUSPENDED" if till % 2 else "DISABLED")

    assert set(race(act, tills=8)) == {"done"}

    lines = list(Activity.objects.filter(kind="STAGE_CHANGED").order_by("id"))
    assert lines[0].data["from"] == "ACTIVE"
    for earlier, later in pairwise(lines):
        assert later.data["from"] == earlier.data["to"]
    assert Member.objects.get(pk=spender.pk).stage == lines[-1].data["to"]


def test_a_closed_member_stays_closed(spender):
    def act(till):
        move(spender, "SUSPENDED" if till else "CLOSED")

    race(act, tills=6)

    with pytest.raises(LoyaltyError):
        move(spender, "ACTIVE")
    assert Member.objects.get(pk=spender.pk).stage == "CLOSED"
