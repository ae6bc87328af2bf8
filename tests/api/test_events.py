"""Event Rewarding: checks by type, awards, cooldowns, both sides of a referral, reversal."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from ledger.models import Transaction
from loyalty.models import Language
from promotions.models import Evaluation, EventType, MemberEvent
from tests.factories.events import EventTypeFactory
from tests.factories.ledger import balance
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory
from tests.factories.promotions import promotion
from tests.factories.tiers import ladder
from tests.factories.vouchers import VoucherTypeFactory

GIFT = {"kind": "FIXED", "type": "PTS", "points": 50}


@pytest.fixture
def survey(member):
    """A survey, and 50 points for a good score."""
    member.joined_at -= timedelta(days=100)
    member.save()
    made = EventTypeFactory()
    promotion("GOOD", trigger="EVENT", event="SURVEY", award=GIFT, condition="event.score >= 8")
    return made


def event(now, reference="E1", **changes):
    body = {
        "member": {"card": "6275000000000017"},
        "type": "SURVEY",
        "reference": reference,
        "occurred_at": now.isoformat(),
        "attributes": {"score": 9},
    }
    return {key: value for key, value in {**body, **changes}.items() if value is not None}


def send(api, body, status=201):
    response = api.post("/events/", body)
    assert response.status_code == status, response.json()
    return response.json()


def set_type(**changes):
    """Change the type as the back office does."""
    EventType.objects.filter(code="SURVEY").delete()
    return EventTypeFactory(**changes)


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


def test_while_the_cooldown_lasts_an_event_gives_nothing_and_says_until_when(
    till, survey, member, now
):
    set_type(cooldown="PT48H")

    first = send(till, event(now - timedelta(hours=20)))
    second = send(till, event(now, "E2"))

    until = (now + timedelta(hours=28)).isoformat().replace("+00:00", "Z")
    assert first["cooldown"] == {"blocked": False, "reason": "COOLDOWN", "until": until}
    assert second["cooldown"] == {"blocked": True, "reason": "COOLDOWN", "until": until}
    assert (second["points"], second["awards"]) == ([], [])
    assert balance(member).available == 50
    assert send(till, event(now, "E2"), 200)["cooldown"] == second["cooldown"]


def test_a_blocked_event_does_not_lengthen_the_cooldown(till, survey, member, now):
    set_type(cooldown="PT24H")

    send(till, event(now - timedelta(hours=30)))
    send(till, event(now - timedelta(hours=20), "E2"))
    send(till, event(now - timedelta(hours=6), "E3"))

    assert balance(member).available == 100


def test_an_event_that_gave_nothing_keeps_none_off(till, survey, member, now):
    set_type(once_per="LIFE")

    send(till, event(now, attributes={"score": 1}))
    send(till, event(now, "E2"))

    assert balance(member).available == 50


def test_an_event_that_comes_late_is_kept_off_by_a_later_one(till, survey, member, now):
    set_type(cooldown="PT48H")

    send(till, event(now))
    late = send(till, event(now - timedelta(hours=40), "E2"))

    assert late["cooldown"]["blocked"]
    assert late["cooldown"]["until"] == (now + timedelta(hours=48)).isoformat().replace(
        "+00:00", "Z"
    )
    assert balance(member).available == 50


@pytest.mark.parametrize(
    ("once_per", "days", "given"),
    [("DAY", 1, 100), ("DAY", 0, 50), ("YEAR", 400, 50), ("LIFE", 20, 50)],
)
def test_a_type_may_be_rewarded_once_in_a_period(till, survey, member, now, once_per, days, given):
    set_type(once_per=once_per)
    later = now if days == 400 else now - timedelta(minutes=1)

    send(till, event(now - timedelta(days=days % 30, minutes=1 if days else 0)))
    send(till, event(later if days else now, "E2"))

    if once_per == "YEAR" and (now - timedelta(days=10, minutes=1)).year != now.year:
        given = 100
    assert balance(member).available == given


def test_a_life_has_no_end(till, survey, now):
    set_type(once_per="LIFE")
    send(till, event(now))

    answer = send(till, event(now, "E2"))

    assert answer["cooldown"] == {"blocked": True, "reason": "ONCE_PER_LIFE", "until": None}


def test_cooldowns_are_the_members_own(till, survey, now):
    set_type(once_per="LIFE")
    other = MemberFactory(joined_at=now - timedelta(days=9))

    send(till, event(now))
    answer = send(till, event(now, "E2", member={"number": other.number}))

    assert [each["points"] for each in answer["points"]] == [50]


def test_an_event_may_give_vouchers_and_counts_only_if_there_were_any(till, survey, now):
    set_type(once_per="LIFE")
    VoucherTypeFactory(code="TENNER", stock=1)
    voucher = {"kind": "VOUCHER", "voucher_type": "TENNER", "quantity": 1}
    promotion("GOOD", trigger="EVENT", event="SURVEY", award=voucher)
    other = {"number": MemberFactory(joined_at=now - timedelta(days=9)).number}

    first = send(till, event(now))
    second = send(till, event(now, "E2", member=other))

    [reward] = first["rewards"]
    assert (reward["code"], len(reward["vouchers"])) == ("TENNER", 1)
    assert first["cooldown"]["reason"] == "ONCE_PER_LIFE"
    assert send(till, event(now), 200) == first
    assert second["rewards"] == []
    assert second["cooldown"] is None


def test_both_sides_of_a_referral_are_rewarded(till, survey, member, now):
    set_type(two_sided=True, once_per="LIFE")
    promotion(
        "SENT",
        trigger="EVENT",
        event="SURVEY",
        award={**GIFT, "points": 30},
        condition="event.role == 'REFERRER'",
    )
    friend = MemberFactory()

    body = event(now, referrer={"number": friend.number})
    answer = send(till, body)

    assert balance(member).available == 50
    assert balance(friend).available == 80
    assert answer["event"]["role"] == "REFERRED"
    referrer = Transaction.objects.get(member=friend)
    assert (referrer.kind, referrer.reference, referrer.part) == ("BONUS", "E1", 1)
    assert answer["referrer"] == {
        "id": str(referrer.pk),
        "member": friend.number,
        "points": [{"type": "PTS", "points": 80}],
    }
    assert send(till, body, 200) == answer


def test_a_blocked_referral_gives_the_referrer_nothing_either(till, survey, member, now):
    set_type(two_sided=True, once_per="LIFE")
    friend = MemberFactory()
    send(till, event(now, referrer={"number": friend.number}))

    send(till, event(now, "E2", referrer={"number": friend.number}))

    assert balance(friend).available == 50
    assert Transaction.objects.filter(member=friend).count() == 1


@pytest.mark.parametrize(
    ("referrer", "status", "code"),
    [
        ({"card": "6275000000000017"}, 400, "VALIDATION_FAILED"),
        ({"number": "1000000999"}, 404, "MEMBER_NOT_FOUND"),
        ({}, 400, "VALIDATION_FAILED"),
    ],
)
def test_a_referrer_who_is_none_is_refused(till, survey, now, referrer, status, code):
    set_type(two_sided=True)

    answer = send(till, event(now, referrer=referrer), status)

    assert answer["code"] == code
    if status == 400:
        assert answer["errors"][0]["pointer"] == "/referrer"
    assert not Transaction.objects.exists()


def test_a_type_with_one_side_takes_no_referrer(till, survey, now):
    answer = send(till, event(now, referrer={"number": MemberFactory().number}), 422)

    assert answer["errors"][0]["pointer"] == "/referrer"


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


def reverse(api, original, now, reference="REV"):
    body = {"original": original, "reference": reference, "occurred_at": now.isoformat()}
    return api.post("/transactions/reverse-earn/", body)


def test_what_an_event_gave_is_taken_back_and_its_cooldown_with_it(till, survey, member, now):
    set_type(once_per="LIFE")
    send(till, event(now))

    answer = reverse(till, {"reference": "E1"}, now)

    assert answer.status_code == 201
    assert [each["points"] for each in answer.json()["points"]] == [-50]
    assert balance(member).available == 0
    assert not MemberEvent.objects.exists()
    send(till, event(now, "E2"))
    assert balance(member).available == 50


def test_a_purchase_goes_before_an_event_of_the_same_reference(till, survey, purchase, now):
    sale = till.post("/transactions/earn/", purchase(reference="E1")).json()
    given = send(till, event(now))

    assert reverse(till, {"reference": "E1"}, now).json()["original"] == sale["id"]
    named = reverse(till, {"reference": "E1", "kind": "BONUS"}, now, "REV-2")
    assert named.json()["original"] == given["id"]


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


def test_event_types_are_told_in_the_callers_language(till, house, survey, api_of):
    Language.objects.create(code="de", name="Deutsch")
    set_type(translations={"de": {"name": "Umfrage"}}, cooldown="P30D")
    EventTypeFactory(code="QUIZ", partners=[PartnerFactory(code="OTHER")])

    answer = till.client.get(
        "/api/v1/program/event-types/", headers={**till.headers, "Accept-Language": "de"}
    )

    assert answer.headers["Content-Language"] == "de"
    [row] = answer.json()["results"]
    assert (row["code"], row["name"], row["cooldown"]) == ("SURVEY", "Umfrage", "P30D")
    assert row["attributes"]["score"]["type"] == "INTEGER"
    known = [each["code"] for each in house.get("/program/event-types/").json()["results"]]
    assert known == ["ANNIVERSARY", "QUIZ", "SURVEY"]


def test_event_types_come_in_pages(house, survey):
    first = house.get("/program/event-types/", limit=1).json()
    second = house.get("/program/event-types/", limit=1, cursor=first["next"]).json()

    assert [each["code"] for each in first["results"] + second["results"]] == [
        "ANNIVERSARY",
        "SURVEY",
    ]
    assert second["next"] is None
