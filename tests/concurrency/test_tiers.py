"""Sales and overrides at once: a threshold is crossed once, and nothing counted is lost."""

import threading
import time
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction

from loyalty.caller import Actor
from members.models import Activity, TierMeasure
from partners.models import Partner
from promotions.engine.basket import Basket, BasketLine
from promotions.services.earning import EarnRequest, earn
from promotions.services.tiers.tier_override import TierRequest, give_tier
from tests.concurrency.test_redemption import race
from tests.factories.members import MemberFactory
from tests.factories.tiers import ladder

TILLS = 10
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shopper(committed_program):
    ladder(silver="100.00", gold=None)
    member = MemberFactory()
    buy(member, "0.00", "FIRST")  # The book is there to be held, and the ladder is in memory.
    return member


def buy(member, amount, reference):
    now = datetime.now(UTC)
    house = Partner.objects.get(is_house=True)
    basket = Basket(occurred_at=now, currency="EUR", lines=(BasketLine(1, None, "1", amount),))
    request = EarnRequest(
        member={"id": member.pk},
        partner_id=house.pk,
        partner_code=house.code,
        reference=reference,
        digest=b"one",
        basket=basket,
    )
    return earn(request, at=now)


def all_at_once(member, act, tills=TILLS):
    """Let all tills wait for the book, so that each statement began before any sale was posted."""
    outcomes = []
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM ledger_book WHERE member_id = %s FOR UPDATE", [member.pk])
        racing = threading.Thread(target=lambda: outcomes.extend(race(act, tills)))
        racing.start()
        _wait_until_waiting(tills)
    racing.join()
    return outcomes


def _wait_until_waiting(tills):
    for _ in range(400):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()"
            )
            if cursor.fetchone()[0] >= tills:
                return
        time.sleep(0.05)
    raise AssertionError("the tills do not wait for the book")


def test_ten_sales_at_once_cross_the_threshold_once(shopper):
    outcomes = all_at_once(shopper, lambda till: buy(shopper, "10.00", f"T{till}"))

    shopper.refresh_from_db()
    assert outcomes == ["done"] * TILLS
    assert shopper.tier.code == "SILVER"
    assert Activity.objects.filter(member=shopper, kind="TIER_CHANGED").count() == 1
    assert TierMeasure.objects.get(member=shopper, measure="SPEND").amount == 100_00


def test_measures_read_before_the_lock_would_lose_the_race(shopper):
    """Prove that the race above is real: in the statement's own snapshot nobody has enough."""
    functions = ("ledger_tier_facts_of(jsonb)", "ledger_tier_facts(bigint[], jsonb)")
    with connection.cursor() as cursor:
        for function in functions:
            cursor.execute(f"ALTER FUNCTION {function} STABLE")
    try:
        all_at_once(shopper, lambda till: buy(shopper, "10.00", f"T{till}"))
    finally:
        with connection.cursor() as cursor:
            for function in functions:
                cursor.execute(f"ALTER FUNCTION {function} VOLATILE")

    shopper.refresh_from_db()
    assert shopper.tier.code == "BASE"


def test_a_tier_given_while_a_sale_lifts_leaves_one_override_and_the_higher_tier(shopper):
    def act(till):
        if till:
            buy(shopper, "100.00", f"T{till}")
            return
        request = TierRequest(
            member={"id": shopper.pk},
            tier="GOLD",
            starts_at=None,
            ends_at=None,
            reason="Goodwill",
            by=Actor.staff("ann"),
        )
        with transaction.atomic():
            give_tier(request, at=datetime.now(UTC))

    assert all_at_once(shopper, act, tills=4) == ["done"] * 4

    shopper.refresh_from_db()
    assert shopper.tier.code == "GOLD"
    assert TierMeasure.objects.get(member=shopper, measure="SPEND").amount == 300_00
