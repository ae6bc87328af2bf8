"""Promotions may reward a move between tiers, whatever caused it."""

from datetime import timedelta

import pytest

from ledger.models import Transaction
from promotions.services.tiers.tier_review import check_chunk
from tests.api.test_manual_tier_update import put
from tests.api.test_tiers_of_sales import buy
from tests.factories.ledger import balance
from tests.factories.promotions import promotion
from tests.factories.tiers import ladder

pytestmark = pytest.mark.usefixtures("member")


@pytest.fixture(autouse=True)
def hundred_for_rising(program):
    award = {"kind": "FIXED", "type": "PTS", "points": 100}
    promotion("RISE", trigger="TIER_CHANGE", condition="event.up", award=award)


def test_the_sale_that_lifts_brings_the_reward(till, purchase, member):
    ladder()

    buy(till, purchase, "99.00")
    assert balance(member).available == 0
    buy(till, purchase, "1.00")

    assert balance(member).available == 100


def test_points_for_a_move_may_lead_to_the_next(till, purchase, member):
    promotion("BASE")
    ladder(measure="POINTS_EARNED", silver=10, gold=110)

    buy(till, purchase, "10.00")

    member.refresh_from_db()
    assert member.tier.code == "GOLD"
    assert balance(member).available == 10 + 100 + 100


def test_a_tier_given_by_hand_is_rewarded_and_its_end_is_not(house, member, now):
    ladder()
    put(house, member, "GOLD", until=(now + timedelta(days=1)).isoformat())
    assert balance(member).available == 100

    check_chunk(after=0, at=now + timedelta(days=1))

    member.refresh_from_db()
    assert member.tier.code == "BASE"
    assert balance(member).available == 100


def take_back(till, sale, now, path="reverse-earn", status=201, **body):
    body = {
        "original": {"id": sale["id"]},
        "reference": "BACK",
        "occurred_at": now.isoformat(),
        **body,
    }
    answer = till.post(f"/transactions/{path}/", body)
    assert answer.status_code == status, answer.json()
    return answer.json()


def spend(till, member, points, now):
    body = {
        "member": {"number": member.number},
        "reference": "SPENT",
        "occurred_at": now.isoformat(),
        "type": "PTS",
        "points": points,
    }
    assert till.post("/transactions/redeem/", body).status_code == 201


def stands(member):
    member.refresh_from_db()
    account = balance(member)
    return member.tier.code, account.available - account.debt


def test_what_a_lift_gave_goes_back_with_the_sale(till, purchase, member, now):
    promotion("BASE")
    ladder()
    sale = buy(till, purchase, "100.00")
    assert stands(member) == ("SILVER", 200)

    answer = take_back(till, sale, now)

    assert stands(member) == ("BASE", 0)
    assert take_back(till, sale, now, status=200) == answer
    assert Transaction.objects.filter(kind="EARN_REVERSAL").count() == 2
    buy(till, purchase, "100.00")
    assert stands(member) == ("SILVER", 200)


def test_what_a_lift_gave_goes_back_with_an_earlier_sale_that_it_needed(
    till, purchase, member, now
):
    ladder()
    first = buy(till, purchase, "60.00")
    buy(till, purchase, "40.00")
    assert stands(member) == ("SILVER", 100)

    take_back(till, first, now)

    assert stands(member) == ("BASE", 0)


def test_of_two_lifts_only_the_one_goes_back_that_is_not_deserved(till, purchase, member, now):
    ladder()
    first = buy(till, purchase, "100.00")
    buy(till, purchase, "200.00")
    assert stands(member) == ("GOLD", 200)

    take_back(till, first, now)

    assert stands(member) == ("SILVER", 100)


def test_what_a_lift_gave_goes_back_with_items(till, purchase, member, now):
    ladder()
    sale = buy(till, purchase, "100.00")

    take_back(
        till, sale, now, "return-items", lines=[{"line": 1, "quantity": "0", "amount": "1.00"}]
    )

    assert stands(member) == ("BASE", 0)


def test_a_lift_that_is_still_deserved_keeps_what_it_gave(till, purchase, member, now):
    ladder()
    extra = buy(till, purchase, "20.00")
    buy(till, purchase, "100.00")

    take_back(till, extra, now)

    assert stands(member) == ("SILVER", 100)


def test_what_was_spent_of_it_is_owed(till, purchase, member, now):
    ladder()
    sale = buy(till, purchase, "100.00")
    spend(till, member, 70, now)

    take_back(till, sale, now)

    assert stands(member) == ("BASE", -70)
