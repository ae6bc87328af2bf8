"""Manual Tier Update: a tier whatever the rules say, for a time."""

from datetime import datetime, timedelta

import pytest

from loyalty.models import OutboxEvent
from members.models import Activity, TierOverride
from promotions.services.tiers.tier_review import check_chunk
from tests.api.test_tiers_of_sales import buy, give_back, tier_of
from tests.factories.promotions import promotion
from tests.factories.tiers import ladder

pytestmark = pytest.mark.usefixtures("member")


def put(house, member, tier, *, status=200, headers=None, **body):
    body = {"tier": tier, "reason": "Goodwill", **body}
    response = house.put(f"/members/{member.number}/tier/", body, **(headers or {}))
    assert response.status_code == status, response.json()
    return response.json()


def at(response_text):
    return datetime.fromisoformat(response_text)


def test_a_tier_is_given_whatever_the_rules_say(house, member, now):
    ladder()
    until = now + timedelta(days=30)

    answer = put(house, member, "GOLD", until=until.isoformat())

    assert (answer["tier"]["before"], answer["tier"]["after"]) == ("BASE", "GOLD")
    assert at(answer["tier"]["until"]) == until
    assert answer["override"]["in_force"] is True
    assert tier_of(member) == "GOLD"
    kinds = Activity.objects.filter(member=member).order_by("pk")
    assert [(each.kind, each.reason) for each in kinds] == [
        ("TIER_GIVEN", "Goodwill"),
        ("TIER_CHANGED", "Goodwill"),
    ]
    assert OutboxEvent.objects.get(type="member.tier_changed").payload["cause"] == "OVERRIDE"


def test_a_given_tier_counts_in_the_next_sale(house, till, purchase, member):
    promotion(audience={"tiers": ["GOLD"]})
    ladder()
    put(house, member, "GOLD")

    assert [each["points"] for each in buy(till, purchase, "10.00")["points"]] == [10]


def test_after_its_end_the_rules_decide_again(house, till, purchase, member, now):
    ladder()
    buy(till, purchase, "120.00")
    put(house, member, "GOLD", until=(now + timedelta(days=30)).isoformat())

    check_chunk(after=0, at=now + timedelta(days=29))
    assert tier_of(member) == "GOLD"
    check_chunk(after=0, at=now + timedelta(days=30))

    assert tier_of(member) == "SILVER"
    assert Activity.objects.filter(member=member).last().data["cause"] == "OVERRIDE_ENDED"


def test_a_future_one_begins_at_its_instant(house, member, now):
    ladder()
    begins = now + timedelta(days=5)

    answer = put(house, member, "GOLD", **{"from": begins.isoformat()})

    assert answer["tier"]["after"] == "BASE"
    assert answer["override"]["in_force"] is False
    check_chunk(after=0, at=begins - timedelta(seconds=1))
    assert tier_of(member) == "BASE"
    check_chunk(after=0, at=begins)
    assert tier_of(member) == "GOLD"


def test_a_sale_sees_one_that_has_begun_before_the_sweep(house, till, purchase, member, now):
    ladder()
    put(house, member, "GOLD", **{"from": (now + timedelta(days=1)).isoformat()})
    TierOverride.objects.update(starts_at=now - timedelta(seconds=5))

    assert buy(till, purchase, "1.00")["tier"]["before"] == "GOLD"
    assert house.get(f"/members/{member.number}/").json()["tier"]["code"] == "GOLD"


def test_the_same_tier_extends(house, member, now):
    first, second = now + timedelta(days=10), now + timedelta(days=20)
    put(house, member, "GOLD", until=first.isoformat())
    since = member.tier_since

    answer = put(house, member, "GOLD", until=second.isoformat())

    assert (answer["tier"]["before"], answer["tier"]["after"]) == ("GOLD", "GOLD")
    assert at(answer["tier"]["until"]) == second
    assert TierOverride.objects.count() == 1
    check_chunk(after=0, at=first)
    assert tier_of(member) == "GOLD"
    check_chunk(after=0, at=second)
    assert tier_of(member) == "BASE"
    assert member.tier_since == since


def test_the_rules_lift_above_a_given_tier(house, till, purchase, member):
    ladder()
    put(house, member, "SILVER")

    assert buy(till, purchase, "300.00")["tier"] == {"before": "SILVER", "after": "GOLD"}


def test_a_lower_tier_is_not_undone_by_what_was_there_before(house, till, purchase, member):
    ladder()
    buy(till, purchase, "320.00")
    put(house, member, "BASE")

    assert buy(till, purchase, "1.00")["tier"] == {"before": "BASE", "after": "BASE"}


def test_a_return_leaves_a_given_tier(house, till, purchase, member, now):
    ladder()
    sale = buy(till, purchase, "120.00")
    put(house, member, "GOLD")

    give_back(till, sale, now)

    assert tier_of(member) == "GOLD"


@pytest.mark.parametrize(
    ("_case", "body", "pointer", "code"),
    [
        ("unknown tier", {"tier": "DIAMOND"}, "/tier", "UNKNOWN"),
        ("over already", {"until": "2020-01-01T00:00:00Z"}, "/until", "IN_PAST"),
        ("no reason", {"reason": ""}, "/reason", "TOO_SHORT"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    _case, body, pointer, code, house, member
):
    wanted = {"tier": "GOLD", "reason": "Goodwill", **body}

    response = house.put(f"/members/{member.number}/tier/", wanted)

    assert response.status_code == 400
    assert [(e["pointer"], e["code"]) for e in response.json()["errors"]] == [(pointer, code)]
    assert tier_of(member) == "BASE"
    assert not Activity.objects.filter(member=member).exists()


def test_who_read_an_older_version_is_refused(house, member):
    put(house, member, "GOLD", headers={"If_Match": '"1"'})

    stale = house.put(
        f"/members/{member.number}/tier/", {"tier": "SILVER", "reason": "x"}, **{"If-Match": '"1"'}
    )

    assert (stale.status_code, stale.json()["code"]) == (412, "VERSION_CONFLICT")
    assert tier_of(member) == "GOLD"


def test_a_closed_member_is_given_nothing(house, member):
    type(member).objects.update(stage="CLOSED")

    response = house.put(f"/members/{member.number}/tier/", {"tier": "GOLD", "reason": "Goodwill"})

    assert (response.status_code, response.json()["code"]) == (422, "STAGE_FORBIDS")
