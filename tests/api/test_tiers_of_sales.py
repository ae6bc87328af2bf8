"""Sales lift members up the ladder at once, and returns take back what they led to."""

from datetime import timedelta

import pytest

from loyalty.models import OutboxEvent
from members.models import Activity, Tier
from tests.factories.promotions import promotion
from tests.factories.tiers import ladder, measured

pytestmark = pytest.mark.usefixtures("member")


def buy(till, purchase, amount, **more):
    body = purchase(lines=[{"line": 1, "amount": amount}], discount=None, tenders=None, **more)
    response = till.post("/transactions/earn/", body)
    assert response.status_code == 201, response.json()
    return response.json()


def give_back(till, sale, now):
    body = {
        "original": {"id": sale["id"]},
        "reference": f"BACK-{sale['id']}",
        "occurred_at": now.isoformat(),
        "reason": "Returned.",
    }
    response = till.post("/transactions/reverse-earn/", body)
    assert response.status_code == 201, response.json()
    return response.json()


def tier_of(member):
    member.refresh_from_db()
    return member.tier.code


def test_a_sale_that_reaches_the_threshold_lifts_at_once(till, purchase, member, now):
    promotion()
    ladder(silver="100.00", gold="300.00")

    below = buy(till, purchase, "99.99")
    reached = buy(till, purchase, "0.01")

    assert below["tier"] == {"before": "BASE", "after": "BASE"}
    assert reached["tier"] == {"before": "BASE", "after": "SILVER"}
    assert tier_of(member) == "SILVER"
    line = Activity.objects.get(member=member, kind="TIER_CHANGED")
    assert (line.data["from"], line.data["to"]) == ("BASE", "SILVER")
    assert line.data["cause"] == "SALE"
    assert line.data["transaction"] == reached["id"]
    event = OutboxEvent.objects.get(type="member.tier_changed")
    assert (event.member_id, event.payload["to"]) == (member.pk, "SILVER")


def test_a_sale_may_lift_over_a_tier(till, purchase, member):
    ladder()

    assert buy(till, purchase, "300.00")["tier"]["after"] == "GOLD"
    assert tier_of(member) == "GOLD"


def test_the_sale_itself_is_evaluated_with_the_tier_before_it(till, purchase):
    promotion(audience={"tiers": ["SILVER"]})
    ladder(silver="100.00")

    lifting = buy(till, purchase, "150.00")
    following = buy(till, purchase, "10.00")

    assert lifting["points"] == []
    assert [each["points"] for each in following["points"]] == [10]


def test_visits_are_days_with_a_purchase(till, purchase, member, now):
    ladder(measure="VISITS", silver=2, gold=3)
    buy(till, purchase, "1.00")
    twice = buy(till, purchase, "1.00")
    earlier = (now - timedelta(days=1)).isoformat()

    lifted = buy(till, purchase, "1.00", occurred_at=earlier)

    assert twice["tier"]["after"] == "BASE"
    assert lifted["tier"]["after"] == "SILVER"


def test_points_of_a_sale_count(till, purchase, member):
    promotion()
    ladder(measure="POINTS_EARNED", silver=50, gold=None)

    assert buy(till, purchase, "49.00")["tier"]["after"] == "BASE"
    assert buy(till, purchase, "1.00")["tier"]["after"] == "SILVER"


def test_pending_points_count_once_they_are_available(till, purchase, member):
    promotion(pending="P14D")
    promotion("NOW")
    ladder(measure="POINTS_EARNED", counts="AVAILABLE", silver=50, gold=None)

    assert buy(till, purchase, "40.00")["tier"]["after"] == "BASE"
    assert buy(till, purchase, "10.00")["tier"]["after"] == "SILVER"


def test_a_reversal_takes_the_tier_that_the_sale_led_to(till, purchase, member, now):
    promotion()
    ladder()
    sale = buy(till, purchase, "120.00")

    back = give_back(till, sale, now)

    assert back["tier"] == {"before": "SILVER", "after": "BASE"}
    assert tier_of(member) == "BASE"
    assert member.tier_since is None
    assert measured(member) == {}


def test_a_reversal_keeps_a_tier_that_was_there_before_the_sale(till, purchase, member, now):
    ladder()
    buy(till, purchase, "120.00")
    later = buy(till, purchase, "200.00")
    assert tier_of(member) == "GOLD"

    give_back(till, later, now)

    assert tier_of(member) == "SILVER"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_order_of_returns_does_not_matter(order, till, purchase, member, now):
    ladder(silver="100.00", gold="200.00")
    sales = [buy(till, purchase, "100.00"), buy(till, purchase, "100.00")]
    assert tier_of(member) == "GOLD"

    for place in order:
        give_back(till, sales[place], now)

    assert tier_of(member) == "BASE"


def test_a_reversal_leaves_a_tier_that_is_still_deserved(till, purchase, member, now):
    ladder()
    sale = buy(till, purchase, "120.00")
    buy(till, purchase, "110.00")

    assert give_back(till, sale, now)["tier"] == {"before": "SILVER", "after": "SILVER"}


def test_without_a_ladder_sales_are_counted_and_nobody_moves(till, purchase, member, now):
    promotion()
    buy(till, purchase, "12.50")

    assert tier_of(member) == "BASE"
    assert sorted(amount for amount in measured(member).values()) == [1, 12, 1250]


def test_a_ladder_from_tomorrow_lifts_nobody_today(till, purchase, member, now):
    ladder(since=now + timedelta(days=1))

    assert buy(till, purchase, "500.00")["tier"]["after"] == "BASE"


def test_a_tier_without_a_threshold_is_not_reached(till, purchase, member):
    ladder(silver=None, gold="300.00")

    assert buy(till, purchase, "299.00")["tier"]["after"] == "BASE"
    assert buy(till, purchase, "1.00")["tier"]["after"] == "GOLD"
    assert Tier.objects.get(code="SILVER").rank == 1
