"""Budgets and members' limits under racing tills, and that without their guards they would break."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction

from ledger.models import Lot
from ledger.services import posting
from ledger.services.posting import lock
from partners.models import Partner
from promotions.models import BudgetSlot, LimitCounter
from promotions.services import budgets
from promotions.services.awarding import recording
from promotions.services.budgets import Till
from promotions.services.occasions import Occasion, post_bonus
from tests.concurrency.test_redemption import TILLS, race
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion

pytestmark = pytest.mark.django_db(transaction=True)
GIFT = {"trigger": "ENROLMENT", "award": {"kind": "FIXED", "type": "PTS", "points": 30}}


def give(member, house, reference):
    """Let an occasion be rewarded, as a till would."""
    now = datetime.now(UTC)
    occasion = Occasion(
        trigger="ENROLMENT",
        occurred_at=now,
        partner_id=house.pk,
        partner_code="HOUSE",
        reference=reference,
        digest=b"one",
    )
    with transaction.atomic():
        till = Till()
        book = lock({"id": member.pk}, at=now)
        posting.settle(book)
        given = post_bonus(book, occasion, purse=till)
        posting.write(book, alongside=recording([given.record], till))


@pytest.fixture
def house(committed_program):
    return Partner.objects.get(is_house=True)


def granted():
    return sum(Lot.objects.values_list("granted", flat=True))


def rest():
    return sum(BudgetSlot.objects.values_list("rest", flat=True))


def race_members(house, rounds=1):
    members = [MemberFactory() for _ in range(TILLS)]
    for turn in range(rounds):

        def act(till, turn=turn):
            give(members[till], house, f"T{till}-{turn}")

        assert race(act) == ["done"] * TILLS


@pytest.mark.parametrize("at_most", [100, 437, 599, 600, 10_000])
def test_a_budget_is_never_passed_and_nothing_of_it_is_stranded(house, at_most):
    promotion(budget={"measure": "POINTS", "at_most": at_most}, **GIFT)

    race_members(house)

    assert granted() == min(at_most, 30 * TILLS)
    assert granted() + rest() == at_most


def test_a_budget_that_skips_leaves_less_than_one_racing_amount(house):
    budget = {"measure": "POINTS", "at_most": 400, "then": "SKIP"}
    promotion(budget=budget, **GIFT)

    race_members(house)

    assert granted() == 390
    assert rest() == 10


def test_without_the_condition_of_its_update_a_budget_would_be_passed(house, monkeypatch):
    """The guard: tills that read what is left, and claim it unconditionally, pass the budget."""
    promotion(budget={"measure": "POINTS", "at_most": 100}, **GIFT)
    seen = threading.Barrier(TILLS)
    looking = budgets.OnlyLooking()

    def claim(till, wants):
        shares = looking.claim(wants)
        seen.wait(timeout=30)
        return shares

    monkeypatch.setattr(Till, "claim", claim)

    race_members(house)

    assert granted() == 30 * TILLS > 100


def test_a_members_limit_is_exact_under_twenty_tills(house):
    member = MemberFactory()
    limit = {"per": "MEMBER", "period": "DAY", "measure": "POINTS", "at_most": 100}
    promotion(limits=[limit], **GIFT)

    race(lambda till: give(member, house, f"T{till}"))

    assert granted() == 100
    assert LimitCounter.objects.get().amount == 100


def test_without_the_books_lock_a_members_limit_would_be_passed(house):
    """The guard: counters that were read before the lock do not see what others counted."""
    member = MemberFactory()
    limit = {"per": "MEMBER", "period": "DAY", "measure": "POINTS", "at_most": 100}
    promotion(limits=[limit], **GIFT)
    give(member, house, "T0")  # Twenty tills find the same 30 counted.
    read, shared = threading.Barrier(TILLS), []

    def look(till):
        with connection.cursor() as cursor:
            cursor.execute("SELECT amount FROM promotions_limitcounter")
            counted = cursor.fetchone()[0]
        read.wait(timeout=30)
        shared.append(min(30, 100 - counted))

    race(look)

    assert sum(shared) == 30 * TILLS > 100


def test_budgets_of_several_promotions_are_claimed_without_deadlock(house):
    for code in "ABC":
        promotion(code, budget={"measure": "POINTS", "at_most": 150}, **GIFT)

    race_members(house, rounds=2)

    assert granted() == 450
    assert rest() == 0
