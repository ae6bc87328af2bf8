"""Renewals: announced, paid or not, trials and free plans."""

from datetime import UTC, datetime, timedelta

from tests.api.subscription.calls import events, states
from tests.factories.vouchers import PlanFactory
from vouchers.models import Subscription
from vouchers.services import renewals


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
