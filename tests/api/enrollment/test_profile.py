"""Enrollment: one member of a person, with everything that comes along, or nothing at all."""

from datetime import UTC, date, datetime, timedelta

import pytest

from loyalty.models import OutboxEvent
from members.models import (
    Activity,
)
from tests.api.enrollment.calls import PERSON, enroll, made, settings, wrong


def test_a_member_is_made_with_the_profile_in_one_form(till, partner):
    answer = enroll(till)

    member = made(answer)
    assert answer.headers["ETag"] == '"1"'
    assert answer.json() == {
        "number": member.number,
        "card": None,
        "stage": "ACTIVE",
        "tier": "BASE",
        "created": True,
        "version": 1,
        "points": [],
        "to_confirm": [],
    }
    assert (member.first_name, member.last_name) == ("Ann", "Lee")
    assert member.birth_date == date(1990, 2, 3)
    assert (member.email, member.phone) == ("ann@example.org", "+436601234567")
    assert member.address == {"lines": ["Ring 1", "Top 2"], "postal_code": "1010", "country": "AT"}
    assert (member.language, member.enrolled_by, member.referrer) == ("en", partner, None)


def test_a_profile_may_be_empty(till):
    member = made(till.post("/members/", {}))

    assert (member.first_name, member.email, member.address) == ("", "", {})


def test_history_and_event_tell_of_it_without_contacts(till, partner):
    member = made(enroll(till))

    line = Activity.objects.get(member=member)
    event = OutboxEvent.objects.get(type="member.enrolled")
    assert (line.kind, line.actor_kind, line.partner, line.data) == (
        "ENROLLED",
        "CLIENT",
        partner,
        {"stage": "ACTIVE"},
    )
    assert (event.member_id, event.partner_id, event.payload) == (member.pk, partner.pk, None)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("first_name", "A" * 201, "TOO_LONG"),
        ("first_name", "A\nB", "NOT_IN_FORM"),
        ("birth_date", "03.02.1990", "NOT_A_DATE"),
        ("birth_date", "1899-12-31", "OUT_OF_RANGE"),
        ("birth_date", "2999-01-01", "OUT_OF_RANGE"),
        ("email", "ann", "NOT_IN_FORM"),
        ("email", "ann@example", "NOT_IN_FORM"),
        ("email", "", "NOT_IN_FORM"),
        ("phone", "12", "NOT_IN_FORM"),
        ("phone", "CALL-ANN", "NOT_IN_FORM"),
        ("language", "tlh", "NOT_A_CHOICE"),
        ("language", "", "NOT_A_CHOICE"),
        ("stage", "ACTIVE", "UNKNOWN_FIELD"),
    ],
)
def test_what_is_wrong_with_a_profile_is_named(field, value, code, till, nothing_written):
    answer = enroll(till, {**PERSON, field: value})

    assert wrong(answer) == [(f"/profile/{field}", code)]


@pytest.mark.parametrize(
    ("address", "pointer", "code"),
    [
        ({"country": "ZZ"}, "/profile/address/country", "NOT_A_CHOICE"),
        ({"country": "at"}, "/profile/address/country", "NOT_IN_FORM"),
        ({"lines": ["x"] * 5}, "/profile/address/lines", "TOO_MANY"),
        ({"street": "Ring"}, "/profile/address/street", "UNKNOWN_FIELD"),
        ("Ring 1", "/profile/address", "WRONG_TYPE"),
    ],
)
def test_an_address_is_bounded(address, pointer, code, till, nothing_written):
    answer = enroll(till, {**PERSON, "address": address})

    assert wrong(answer)[0][0] == pointer


def test_everything_wrong_is_named_at_once(till, nothing_written):
    answer = enroll(till, {"email": "ann", "phone": "1", "language": "tlh"})

    assert wrong(answer) == [
        ("/profile/email", "NOT_IN_FORM"),
        ("/profile/phone", "NOT_IN_FORM"),
        ("/profile/language", "NOT_A_CHOICE"),
    ]


def years_ago(years, days=0):
    today = datetime.now(UTC).date()
    return (
        today.replace(year=today.year - years, day=min(today.day, 28)) + timedelta(days)
    ).isoformat()


def test_a_minimum_age_is_kept(till, nothing_written):
    settings(minimum_age=16)

    young = enroll(till, {"birth_date": years_ago(16, days=3)})
    unknown = enroll(till, {"email": "ann@example.org"})

    assert wrong(young) == [("/profile/birth_date", "TOO_YOUNG")]
    assert wrong(unknown) == [("/profile/birth_date", "MISSING_FIELD")]


def test_who_is_old_enough_enrols(till):
    settings(minimum_age=16)

    assert enroll(till, {"birth_date": years_ago(16)}).status_code == 201


def test_where_contacts_are_confirmed_a_member_waits(till):
    settings(confirm_contact=True)

    answer = enroll(till)

    assert made(answer).stage == "PENDING"
    assert answer.json()["to_confirm"] == ["email", "phone"]


def test_where_contacts_are_confirmed_there_must_be_one(till, nothing_written):
    settings(confirm_contact=True)

    assert wrong(enroll(till, {"last_name": "Lee"})) == [("/profile/email", "MISSING_FIELD")]
