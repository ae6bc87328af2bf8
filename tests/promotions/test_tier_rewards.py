"""Promotions may reward a move between tiers, whatever caused it."""

from datetime import timedelta

import pytest

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
