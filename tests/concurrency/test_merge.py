"""A merge while tills post on both members, and merges that cross: with real threads."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError

from ledger.models import Account, Transaction
from ledger.services import posting
from loyalty.caller import Actor
from loyalty.services.use_case import use_case
from members.models import Member
from promotions.services.membership import merging
from promotions.services.membership.merging import MergeRequest, UnmergeRequest
from tests.concurrency.test_redemption import race, redeem
from tests.factories.ledger import balance, give
from tests.factories.members import MemberFactory

pytestmark = pytest.mark.django_db(transaction=True)
BOSS = Actor.staff("boss")


@pytest.fixture
def two(committed_program):
    members = [MemberFactory(), MemberFactory()]
    for member in members:
        give(member, 500)
    return members


@use_case
def merge(giver, taker):
    wanted = MergeRequest(
        giver={"number": giver.number}, taker={"number": taker.number}, reason="One.", by=BOSS
    )
    return merging.merge(wanted, at=datetime.now(UTC))


@use_case
def unmerge(giver):
    wanted = UnmergeRequest(number=giver.number, reason="Two.", by=BOSS)
    return merging.unmerge(wanted, at=datetime.now(UTC))


@pytest.mark.parametrize("way", [(0, 1), (1, 0)])
def test_tills_go_on_while_two_are_merged(way, two):
    giver, taker = two[way[0]], two[way[1]]

    def act(till):
        if till == 9:
            merge(giver, taker)
        elif till % 3:
            redeem(two[till % 2], 10, f"T{till}")
        else:
            give(two[till % 2], 10)

    outcomes = race(act)

    assert outcomes == ["done"] * 20
    spent = Transaction.objects.filter(kind="REDEMPTION").count() * 10
    earned = Transaction.objects.filter(kind="EARN").count() * 10 - 2 * 10 + 1000
    account = balance(taker)
    assert account.available == earned - spent
    assert Account.objects.filter(member=giver, available__gt=0).count() == 0
    late = Transaction.objects.get(member=giver, kind="TRANSFER").version
    assert not Transaction.objects.filter(member=giver, version__gt=late).exists()


def test_more_than_both_have_is_never_spent(two):
    def act(till):
        if till == 3:
            merge(*two)
        else:
            redeem(two[till % 2], 200, f"T{till}")

    outcomes = race(act, tills=10)

    went = Transaction.objects.filter(kind="REDEMPTION").count()
    assert outcomes.count("done") == went + 1
    assert went <= 5
    assert balance(two[1]).available == 1000 - 200 * went


def test_two_that_are_merged_both_ways_at_once_are_merged_one_way(two):
    def act(till):
        merge(*(two if till else two[::-1]))

    outcomes = race(act, tills=2)

    assert outcomes.count("done") == 1
    assert Member.objects.filter(stage="MERGED").count() == 1
    survivor = Member.objects.get(stage="ACTIVE")
    assert balance(survivor).available == 1000


def test_one_merge_of_many_at_once(two):
    outcomes = race(lambda till: merge(*two), tills=6)

    assert outcomes.count("done") == 1
    assert Transaction.objects.filter(kind="TRANSFER").count() == 2


def test_a_ring_of_merges_leaves_one_with_everything(two):
    third = MemberFactory()
    give(third, 500)
    ring = [*two, third]

    outcomes = race(lambda till: merge(ring[till], ring[(till + 1) % 3]), tills=3)

    assert outcomes.count("done") == 2
    assert balance(Member.objects.get(stage="ACTIVE")).available == 1500


def test_unmerge_and_a_redemption_at_once_are_one_after_the_other(two):
    merge(*two)

    def act(till):
        if till:
            redeem(two[1], 700, "T")
        else:
            unmerge(two[0])

    outcomes = race(act, tills=2)

    assert outcomes in (["INSUFFICIENT_POINTS", "done"], ["MERGE_TOUCHED", "done"])
    total = sum(Account.objects.values_list("available", flat=True))
    assert total in (1000, 300)


def test_books_in_the_callers_own_order_deadlock(two):
    """Prove that the order matters: each side locks its giver first, and one is the victim."""
    taken = threading.Barrier(2)

    def act(till):
        first, second = two if till else two[::-1]
        with transaction.atomic():
            posting.lock({"id": first.pk}, at=datetime.now(UTC))
            taken.wait()
            posting.lock({"id": second.pk}, at=datetime.now(UTC))

    assert race(act, tills=2) == ["OperationalError", "done"]


def test_without_the_locks_only_the_version_stops_a_merge_of_points_that_were_spent(
    two, monkeypatch
):
    """Prove that the races above are real: what is drafted on books as they were is thrown away."""
    from ledger.services import transfer

    read, spent, outcomes = threading.Event(), threading.Event(), []

    def unlocked(giver_id, taker_id, *, at):
        pair = transfer.read_pair(giver_id, taker_id, at=at)
        read.set()
        spent.wait()
        return pair

    monkeypatch.setattr(transfer, "lock_pair", unlocked)

    def run():
        try:
            merge(*two)
        except IntegrityError:
            outcomes.append("IntegrityError")
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    read.wait()
    redeem(two[0], 100, "T")
    spent.set()
    thread.join()

    assert outcomes == ["IntegrityError"]
    assert (balance(two[0]).available, balance(two[1]).available) == (400, 500)
