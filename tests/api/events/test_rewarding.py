"""Event Rewarding: what an event gives, and what is refused."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from ledger.models import Transaction
from promotions.models import Evaluation
from tests.api.events.calls import event, send, set_type
from tests.factories.ledger import balance
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory
from tests.factories.tiers import ladder


def test_an_event_earns_what_promotions_give_for_it(till, survey, member, now):
    answer = send(till, event(now, outlet="S1", related={"entity": "store", "code": "S1"}))

    assert (answer["kind"], answer["reference"], answer["outlet"]) == ("BONUS", "E1", "S1")
    assert [(a["promotion"], a["points"], a["line"]) for a in answer["awards"]] == [
        ("GOOD", 50, None)
    ]
    assert answer["event"] == {
        "type": "SURVEY",
        "role": None,
        "related": {"entity": "store", "code": "S1"},
    }
    assert answer["cooldown"] is None
    assert balance(member).available == 50


def test_an_event_that_meets_no_promotion_leaves_a_transaction(till, survey, member, now):
    answer = send(till, event(now, attributes={"score": 3}))

    assert answer["points"] == []
    assert [(m["promotion"], m["reason"]) for m in answer["near_misses"]] == [("GOOD", "CONDITION")]
    assert Transaction.objects.get().reference == "E1"


def test_the_same_event_twice_is_answered_once_more_and_posted_once(till, survey, member, now):
    first = till.post("/events/", event(now))
    again = till.post("/events/", event(now))

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    assert balance(member).available == 50


def test_the_same_reference_for_another_event_conflicts(till, survey, member, now):
    send(till, event(now))

    answer = send(till, event(now, attributes={"score": 10}), 409)

    assert answer["code"] == "REFERENCE_CONFLICT"
    assert balance(member).available == 50


def test_a_replay_outlives_its_type(till, survey, now):
    first = send(till, event(now))
    set_type(active=False)

    assert send(till, event(now), 200) == first


@pytest.mark.parametrize(
    ("attributes", "pointer", "code"),
    [
        ({}, "/attributes/score", "MISSING_FIELD"),
        ({"score": "9"}, "/attributes/score", "WRONG_TYPE"),
        ({"score": 11}, "/attributes/score", "OUT_OF_RANGE"),
        ({"score": 9.5}, "/attributes/score", "WRONG_TYPE"),
        ({"score": True}, "/attributes/score", "WRONG_TYPE"),
        ({"score": 9, "comment": "x" * 41}, "/attributes/comment", "TOO_LONG"),
        ({"score": 9, "mood": "good"}, "/attributes/mood", "UNKNOWN_FIELD"),
        ({"score": 9, "role": "REFERRER"}, "/attributes/role", "UNKNOWN_FIELD"),
        ({"score": {"deep": [1]}}, "/attributes/score", "WRONG_TYPE"),
    ],
)
def test_attributes_that_are_not_the_types_are_refused(
    till, survey, now, attributes, pointer, code
):
    answer = send(till, event(now, attributes=attributes), 422)

    assert answer["code"] == "EVENT_SCHEMA_VIOLATION"
    assert [(each["pointer"], each["code"]) for each in answer["errors"]] == [(pointer, code)]
    assert not Transaction.objects.exists()


@pytest.mark.parametrize("why", ["unknown", "inactive", "another partner's", "Laurel's own"])
def test_a_type_that_is_not_the_callers_is_answered_as_unknown(till, survey, now, why):
    kind = {"unknown": "QUIZ", "Laurel's own": "ANNIVERSARY"}.get(why, "SURVEY")
    if why == "inactive":
        set_type(active=False)
    if why == "another partner's":
        set_type(partners=[PartnerFactory(code="OTHER")])

    answer = send(till, event(now, type=kind), 422)

    assert answer["code"] == "EVENT_SCHEMA_VIOLATION"
    assert answer["errors"] == [
        {"pointer": "/type", "code": "UNKNOWN", "message": "There is no such event type."}
    ]
    assert not Transaction.objects.exists()


def test_the_programmes_own_client_may_send_what_partners_send(house, till, survey, partner, now):
    set_type(partners=[partner])

    assert send(house, event(now))["partner"] == "HOUSE"
    assert send(till, event(now))["partner"] == "GROCER"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"days": 31}, "TOO_OLD"),
        ({"days": -1}, "IN_FUTURE"),
        ({"outlet": "S9"}, "OUTLET_UNKNOWN"),
        ({"member": {"number": "1000000999"}}, "MEMBER_NOT_FOUND"),
    ],
)
def test_what_an_earn_refuses_an_event_refuses(till, survey, now, changes, code):
    days = changes.pop("days", 0)
    body = event(now - timedelta(days=days), **changes)

    assert till.post("/events/", body).json()["code"] == code
    assert not Transaction.objects.exists()


def test_a_member_whose_stage_forbids_it_earns_nothing(till, survey, member, now):
    member.stage = "SUSPENDED"
    member.save()

    assert send(till, event(now), 422)["code"] == "STAGE_FORBIDS"


def test_an_event_before_the_enrolment_is_refused(till, survey, member, now):
    member.joined_at = now - timedelta(hours=2)
    member.save()

    answer = send(till, event(now - timedelta(hours=3)), 422)

    assert answer["code"] == "TOO_OLD"
    earliest = member.joined_at - timedelta(minutes=5)
    assert answer["accepted_from"] == earliest.isoformat().replace("+00:00", "Z")
    send(till, event(now - timedelta(hours=1)))


def test_a_type_may_ask_for_events_of_today(till, survey, now):
    set_type(backdated=False)

    assert send(till, event(now - timedelta(days=2)), 422)["code"] == "TOO_OLD"
    send(till, event(now - timedelta(minutes=4)))


def test_points_for_events_count_towards_tiers(till, survey, member, now):
    ladder(measure="POINTS_EARNED", silver=50, gold=5000)

    answer = send(till, event(now))

    assert answer["tier"] == {"before": "BASE", "after": "SILVER"}


def test_an_event_stands_in_the_history_with_what_it_was(till, api_of, survey, member, now):
    sent = send(till, event(now))

    [row] = till.get(f"/members/{member.number}/transactions/").json()["results"]
    assert (row["id"], row["event"], row["awards"]) == (sent["id"], sent["event"], sent["awards"])
    found = till.get(f"/transactions/{sent['id']}/", include="explanation").json()
    [condition] = found["awards"][0]["explanation"]["conditions"]
    assert condition["met"] is True
    assert found["explained"] == "SAME"
    stranger = api_of(PartnerFactory(code="OTHER"))
    [seen] = stranger.get(f"/members/{member.number}/transactions/").json()["results"]
    assert "event" not in seen
    assert seen["awards"] == []
    assert stranger.get(f"/transactions/{sent['id']}/").status_code == 404


def test_an_event_explains_itself_at_once(till, survey, now):
    answer = till.post("/events/?include=explanation", event(now)).json()

    assert answer["awards"][0]["explanation"]["conditions"][0]["name"] == "condition"


def test_an_event_is_replayed_by_the_command(till, survey, now, capsys):
    send(till, event(now))
    call_command("replay_evaluations", "--quiet")

    assert Evaluation.objects.count() == 1
    assert capsys.readouterr().out == "1 the same, 0 without their facts, 0 differ.\n"


@pytest.mark.parametrize(("referred", "most"), [(False, 2), (True, 5)])
def test_an_event_sends_few_statements(till, survey, member, now, statements, referred, most):
    set_type(two_sided=True)
    friend = {"number": MemberFactory().number} if referred else None
    till.post("/events/", event(now, referrer=friend))
    statements.sent.clear()

    assert till.post("/events/", event(now, "E2", referrer=friend)).status_code == 201

    assert len(statements.sent) == most, statements.sent
