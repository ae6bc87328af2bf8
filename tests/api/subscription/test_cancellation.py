"""Subscription Cancellation: now or at the end of the period."""

from datetime import UTC, datetime

from members.models import Activity
from tests.api.subscription.calls import cancel, states
from tests.factories.members import MemberFactory
from tests.factories.vouchers import PlanFactory


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
