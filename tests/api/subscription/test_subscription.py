"""Subscription, Get Member Subscription, Subscription Cancellation."""

from datetime import UTC, datetime

import pytest

from members.models import Activity, Member, Segment, SegmentMember, Tier, TierCheck, TierOverride
from tests.api.subscription.calls import START, body, cancel, events, states
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory
from tests.factories.vouchers import PlanFactory
from vouchers.models import Subscription


def test_a_member_subscribes(plan, subscribe, house, member):
    answer = subscribe()

    assert answer.status_code == 201
    content = answer.json()
    assert content.pop("id") == str(Subscription.objects.get().pk)
    assert content == {
        "member": member.number,
        "plan": "GOLD",
        "name": "Gold",
        "status": "ACTIVE",
        "started_at": "2026-01-31T09:00:00Z",
        "period": {
            "from": "2026-01-31T09:00:00Z",
            "to": "2026-02-28T23:00:00Z",
            "last_valid_date": "2026-02-28",
        },
        "renewal_due": "2026-02-28T23:00:00Z",
        "ends_at": None,
        "auto_renew": True,
        "price": {"amount": "12.00", "currency": "EUR"},
        "payment": {"status": "PAID", "reference": "PAY-1", "method": "CARD"},
        "tier": None,
        "benefits": ["LOUNGE", "PARKING"],
    }
    assert states(house, member) == [("GOLD", "ACTIVE")]
    assert events() == ["subscription.started"]
    line = Activity.objects.get(kind="SUBSCRIPTION_STARTED")
    assert (line.member_id, line.data["plan"]) == (member.pk, "GOLD")


def test_the_same_again_answers_the_first(plan, subscribe):
    first = subscribe()

    again = subscribe()

    assert again.status_code == 200
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    assert Subscription.objects.count() == 1


def test_other_content_under_the_reference_is_a_conflict(plan, subscribe):
    subscribe()

    answer = subscribe(auto_renew=False)

    assert answer.status_code == 409
    assert answer.json()["code"] == "REFERENCE_CONFLICT"


def test_another_member_under_the_reference_is_a_conflict(plan, subscribe, house):
    subscribe()

    answer = house.post(f"/members/{MemberFactory().number}/subscriptions/", body())

    assert answer.json()["code"] == "REFERENCE_CONFLICT"
    assert Subscription.objects.count() == 1


def test_a_second_subscription_to_the_plan_needs_a_word(plan, subscribe):
    first = subscribe().json()

    answer = subscribe(reference="SUB-2")

    assert answer.status_code == 409
    assert answer.json()["code"] == "ALREADY_SUBSCRIBED"
    assert answer.json()["subscription"] == first["id"]
    assert Subscription.objects.count() == 1


def test_extending_adds_the_next_period(plan, subscribe):
    subscribe()

    answer = subscribe(reference="SUB-2", change="EXTEND").json()

    assert answer["period"]["to"] == "2026-03-31T22:00:00Z"  # Summer time has begun.
    assert events() == ["subscription.started", "subscription.renewed"]


def test_an_upgrade_ends_the_other_plan_and_tells_what_is_left_of_it(plan, subscribe, clock):
    plan.group = "CLUB"
    plan.save()
    PlanFactory(code="PLATINUM", group="CLUB", price="30.00")
    subscribe(price={"amount": "28.58", "currency": "EUR"})
    clock.move_to(datetime(2026, 2, 14, 16, tzinfo=UTC))  # Half of 28 days and 14 hours.

    refused = subscribe(plan="PLATINUM", reference="SUB-2")
    answer = subscribe(plan="PLATINUM", reference="SUB-3", change="UPGRADE")

    assert refused.json()["code"] == "ALREADY_SUBSCRIBED"
    assert answer.json()["credit"] == {"amount": "14.29", "currency": "EUR"}
    assert [each.status for each in Subscription.objects.order_by("started_at")] == [
        "ENDED",
        "ACTIVE",
    ]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"payment": {"status": "FREE"}}, "/payment/status"),
        ({"price": {"amount": "12.00", "currency": "USD"}}, "/price/currency"),
        ({"start": "2026-02-01T00:00:00Z"}, "/start"),
        ({"start": "1999-02-01T00:00:00Z"}, "/start"),
        ({"price": {"amount": "-1", "currency": "EUR"}}, "/price/amount"),
        ({"reference": ""}, "/reference"),
        ({"change": "DOWNGRADE"}, "/change"),
        ({"renews": "x"}, "/renews"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_kept(plan, subscribe, changes, pointer):
    answer = subscribe(**changes)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert not Subscription.objects.exists()
    assert subscribe().status_code == 201  # The reference is still free.


@pytest.mark.parametrize("stage", ["SUSPENDED", "DISABLED", "CLOSED", "EXPIRED"])
def test_a_stage_may_forbid_it(plan, subscribe, member, stage):
    Member.objects.filter(pk=member.pk).update(stage=stage)

    assert subscribe().json()["code"] == "STAGE_FORBIDS"
    assert not Subscription.objects.exists()


def test_a_plan_is_for_some(plan, subscribe, member):
    plan.for_tiers, plan.for_countries = ["GOLD"], ["AT"]
    plan.save()
    assert subscribe().json()["reason"] == "TIER"

    plan.for_tiers = []
    plan.save()
    assert subscribe().json()["reason"] == "COUNTRY"

    Member.objects.filter(pk=member.pk).update(address={"country": "AT"})
    assert subscribe().status_code == 201


def test_an_unknown_or_withdrawn_plan_is_not_there(plan, subscribe):
    assert subscribe(plan="NOTHING").status_code == 404
    plan.active = False
    plan.save()
    assert subscribe().json()["code"] == "PLAN_NOT_FOUND"


def test_a_member_subscribes_but_does_not_say_that_it_paid(plan, session_of, member):
    me = session_of(member)

    refused = me.post("/members/me/subscriptions/", body())
    answer = me.post("/members/me/subscriptions/", body(payment={"status": "DUE"}))

    assert refused.status_code == 400
    assert refused.json()["errors"][0]["code"] == "NOT_FOR_MEMBERS"
    assert answer.json()["status"] == "DUE"
    assert me.get("/members/me/subscriptions/").json()["results"][0]["plan"] == "GOLD"


def test_the_plans_are_listed(plan, house):
    PlanFactory(code="OLD", active=False)

    results = house.get("/program/subscription-plans/").json()["results"]

    assert [each["code"] for each in results] == ["GOLD"]
    assert results[0]["price"] == {"amount": "12.00", "currency": "EUR"}
    assert results[0]["benefits"] == ["LOUNGE", "PARKING"]


def test_a_partner_without_the_scope_may_not(plan, api_of, member):
    till = api_of(PartnerFactory(), ["points:read"])

    assert till.post(f"/members/{member.number}/subscriptions/", body()).status_code == 403


def test_a_plan_holds_its_tier_while_it_lasts(plan, subscribe, house, member, clock):
    plan.tier = Tier.objects.get(code="SILVER")
    plan.save()

    key = subscribe().json()["id"]
    held = TierOverride.objects.get()
    cancel(house, member, key, when="NOW")

    assert (held.member_id, held.tier.code, held.starts_at, held.ends_at) == (
        member.pk,
        "SILVER",
        START,
        None,
    )
    assert held.reason == "Subscription to GOLD"
    assert not TierOverride.objects.filter(ends_at=None).exists()
    assert TierCheck.objects.filter(member=member).exists()


def test_who_stands_higher_is_not_taken_down_by_a_plan(plan, subscribe, member, clock):
    plan.tier = Tier.objects.get(code="SILVER")
    plan.save()
    Member.objects.filter(pk=member.pk).update(tier=Tier.objects.get(code="GOLD"))

    subscribe()

    assert not TierOverride.objects.exists()


def test_a_plan_may_be_for_a_segment(plan, subscribe, member):
    plan.for_segments = ["VIP"]
    plan.save()
    assert subscribe().json()["reason"] == "SEGMENT"

    segment = Segment.objects.create(code="VIP", name="VIP", kind="STATIC", created_at=START)
    SegmentMember.objects.create(segment=segment, member=member, since=START)
    assert subscribe().status_code == 201
