"""Subscription, Get Member Subscription, Subscription Cancellation."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from loyalty.models import OutboxEvent
from members.models import Activity, Member, Segment, SegmentMember, Tier, TierCheck, TierOverride
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory
from tests.factories.vouchers import PlanFactory
from vouchers.models import Subscription
from vouchers.services import renewals

DAY = timedelta(days=1)
START = datetime(2026, 1, 31, 9, tzinfo=UTC)


@pytest.fixture
def clock():
    """The clock of the tests, which stands still until it is moved."""
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def body(plan="GOLD", **changes):
    content = {
        "plan": plan,
        "reference": "SUB-1",
        "payment": {"status": "PAID", "reference": "PAY-1", "method": "CARD"},
    }
    return {key: value for key, value in {**content, **changes}.items() if value is not None}


@pytest.fixture
def plan(program, clock):
    return PlanFactory(code="GOLD", benefits=["PARKING", "LOUNGE"])


@pytest.fixture
def subscribe(house, member):
    def send(**changes):
        return house.post(f"/members/{member.number}/subscriptions/", body(**changes))

    return send


def states(house, member, **query):
    answer = house.get(f"/members/{member.number}/subscriptions/", **query)
    return [(each["plan"], each["status"]) for each in answer.json()["results"]]


def events():
    return list(
        OutboxEvent.objects.filter(type__startswith="subscription.")
        .order_by("pk")
        .values_list("type", flat=True)
    )


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


def test_a_renewal_is_announced_paid_and_goes_on(plan, subscribe, house, member, clock):
    first = subscribe().json()["id"]
    clock.move_to(datetime(2026, 2, 22, tzinfo=UTC))
    renewals.settle_chunk(at=datetime.now(UTC))

    assert events() == ["subscription.started", "subscription.renewal_due"]

    clock.move_to(datetime(2026, 3, 2, tzinfo=UTC))
    assert states(house, member) == [("GOLD", "DUE")]
    answer = subscribe(reference="SUB-2", renews=first)

    assert answer.status_code == 201
    assert answer.json()["period"] == {
        "from": "2026-02-28T23:00:00Z",
        "to": "2026-03-31T22:00:00Z",
        "last_valid_date": "2026-03-31",
    }
    assert states(house, member) == [("GOLD", "ACTIVE")]


def test_an_unpaid_renewal_ends_after_the_grace(plan, subscribe, house, member, clock):
    subscribe()

    clock.move_to(datetime(2026, 3, 14, 22, 59, tzinfo=UTC))
    assert states(house, member) == [("GOLD", "DUE")]
    clock.move_to(datetime(2026, 3, 14, 23, tzinfo=UTC))

    assert states(house, member) == []  # Exact on read, before the job came by.
    assert states(house, member, ended="true") == [("GOLD", "ENDED")]
    assert renewals.settle_chunk(at=datetime.now(UTC)).settled == 1
    row = Subscription.objects.get()
    assert (row.status, row.end_reason) == ("ENDED", "It was not paid for.")
    assert row.ended_at == datetime(2026, 3, 14, 23, tzinfo=UTC)
    assert renewals.settle_chunk(at=datetime.now(UTC)).settled == 0
    assert events()[-1] == "subscription.ended"


def test_a_subscription_that_is_due_runs_for_the_grace(plan, subscribe, house, member, clock):
    answer = subscribe(payment={"status": "DUE"}).json()

    assert (answer["status"], answer["ends_at"]) == ("DUE", "2026-02-14T09:00:00Z")
    paid = subscribe(reference="SUB-2", renews=answer["id"]).json()
    assert (paid["status"], paid["period"]) == ("ACTIVE", answer["period"])


def test_a_trial_comes_once(plan, subscribe, house, member, clock):
    plan.trial = "P14D"
    plan.save()

    first = subscribe(payment=None).json()
    clock.shift(timedelta(days=40))
    again = subscribe(reference="SUB-2", payment=None).json()

    assert (first["status"], first["price"]["amount"]) == ("TRIAL", "0.00")
    assert first["period"]["last_valid_date"] == "2026-02-14"
    assert (again["status"], again["price"]["amount"]) == ("DUE", "12.00")


def test_after_a_trial_periods_are_counted_from_its_last_day(plan, subscribe, clock):
    plan.trial = "P14D"
    plan.save()
    first = subscribe(payment=None).json()
    clock.move_to(datetime(2026, 2, 15, 10, tzinfo=UTC))

    answer = subscribe(reference="SUB-2", renews=first["id"]).json()

    assert answer["status"] == "ACTIVE"
    assert answer["period"]["last_valid_date"] == "2026-03-14"


def test_a_free_plan_renews_itself(subscribe, house, member, clock):
    PlanFactory(code="FREE", price="0.00")
    subscribe(plan="FREE", payment={"status": "FREE"})

    clock.move_to(datetime(2026, 4, 5, tzinfo=UTC))
    renewals.settle_chunk(at=datetime.now(UTC))

    assert states(house, member) == [("FREE", "ACTIVE")]
    assert Subscription.objects.get().period_to == datetime(2026, 4, 30, 22, tzinfo=UTC)
    assert events() == ["subscription.started", *["subscription.renewed"] * 2]


def cancel(house, member, *ids, **changes):
    content = {"subscriptions": list(ids), "reference": "CAN-1", **changes}
    return house.post(f"/members/{member.number}/subscriptions/cancel/", content)


def test_cancelled_at_the_end_it_runs_on(plan, subscribe, house, member, clock):
    key = subscribe().json()["id"]

    answer = cancel(house, member, key, reason="Too dear")

    assert answer.status_code == 201
    assert answer.json() == {
        "items": [
            {
                "id": key,
                "status": "CANCELLED",
                "ends_at": "2026-02-28T23:00:00Z",
                "refund": {"amount": "0.00", "currency": "EUR"},
                "benefits_lost": ["LOUNGE", "PARKING"],
                "problem": None,
            }
        ]
    }
    assert states(house, member) == [("GOLD", "CANCELLED")]
    clock.move_to(datetime(2026, 2, 28, 23, tzinfo=UTC))
    assert states(house, member) == []
    assert Activity.objects.get(kind="SUBSCRIPTION_CANCELLED").reason == "Too dear"


def test_cancelled_now_it_ends_with_a_refund_figure(plan, subscribe, house, member, clock):
    key = subscribe(price={"amount": "28.58", "currency": "EUR"}).json()["id"]
    clock.move_to(datetime(2026, 2, 14, 16, tzinfo=UTC))

    item = cancel(house, member, key, when="NOW").json()["items"][0]

    assert item["status"] == "ENDED"
    assert item["refund"] == {"amount": "14.29", "currency": "EUR"}
    assert states(house, member) == []


def test_several_are_cancelled_each_by_itself(plan, subscribe, house, member, clock):
    PlanFactory(code="TERM", minimum_term="P3M", benefits=["PARKING"])
    first = subscribe().json()["id"]
    second = subscribe(plan="TERM", reference="SUB-2").json()["id"]
    unknown = "0198c0de-0000-7000-8000-000000000000"

    items = cancel(house, member, first, second, unknown, when="NOW").json()["items"]

    assert [each["status"] for each in items] == ["ENDED", "REFUSED", "REFUSED"]
    assert items[0]["benefits_lost"] == ["LOUNGE"]  # Parking comes with the other plan, too.
    assert items[1]["problem"]["code"] == "MINIMUM_TERM"
    assert items[1]["problem"]["until"] == "2026-04-30T22:00:00Z"
    assert items[2]["problem"]["code"] == "SUBSCRIPTION_NOT_FOUND"
    assert states(house, member) == [("TERM", "ACTIVE")]


def test_another_members_subscription_is_not_there(plan, subscribe, house, member):
    key = subscribe().json()["id"]

    items = cancel(house, MemberFactory(), key, when="NOW").json()["items"]

    assert items[0]["problem"]["code"] == "SUBSCRIPTION_NOT_FOUND"
    assert states(house, member) == [("GOLD", "ACTIVE")]


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
