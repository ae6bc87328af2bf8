"""Member Authentication: setting the PIN with proof, verifying it, and what that gives."""

import logging
import traceback
from datetime import timedelta

import pytest
from django.contrib.auth import hashers
from django.test import override_settings
from django.urls import reverse

from loyalty.models import Attempt, IdempotencyKey, Program
from members.models import Activity, Credential, StepUp
from members.services import pins
from tests.factories.credentials import PASSWORD, PIN, with_password, with_pin
from tests.factories.loyalty import UserFactory
from tests.factories.members import MemberFactory

NEW = "1937"


@pytest.fixture
def ann(member):
    return with_password(with_pin(member))


def pin_of(member):
    return f"/members/{member.number}/pin/"


def verify_of(member):
    return f"/members/{member.number}/pin/verify/"


REDEEM = {"purpose": "REDEEM", "points": 500, "type": "PTS"}


def is_pin(till, member, pin):
    body = {"pin": pin, **REDEEM}
    return till.post(verify_of(member), body).status_code == 200


def test_a_house_client_sets_the_first_pin(house, till, member):
    answer = house.put(pin_of(member), {"pin": PIN})

    assert answer.status_code == 200
    assert answer.json()["member"] == member.number
    assert is_pin(till, member, PIN)
    line = Activity.objects.get()
    assert (line.kind, line.actor_kind, line.data) == ("PIN_SET", "CLIENT", {})


def test_the_second_needs_proof(house, till, ann):
    answer = house.put(pin_of(ann), {"pin": NEW})

    assert (answer.status_code, answer.json()["code"]) == (422, "PROOF_NEEDED")
    assert is_pin(till, ann, PIN)


@pytest.mark.parametrize("proof", [{"pin": PIN}, {"password": PASSWORD}])
def test_the_old_pin_or_the_password_is_proof(proof, house, session_of, till, ann):
    assert session_of(ann).put("/members/me/pin/", {"pin": NEW, "proof": proof}).status_code == 200

    assert is_pin(till, ann, NEW)
    assert not is_pin(till, ann, PIN)
    assert Activity.objects.get().kind == "PIN_CHANGED"


def test_a_session_alone_is_no_proof_even_for_the_first_pin(session_of, member):
    answer = session_of(member).put("/members/me/pin/", {"pin": PIN})

    assert answer.json()["code"] == "PROOF_NEEDED"
    assert not Credential.objects.exists()


def test_a_step_up_for_the_pin_is_proof_once(session_of, ann):
    api = session_of(ann)
    proof = api.post("/members/me/pin/verify/", {"pin": PIN, "purpose": "PIN"}).json()["step_up"]

    first = api.put("/members/me/pin/", {"pin": NEW, "proof": {"code": proof}})
    again = api.put("/members/me/pin/", {"pin": "7391", "proof": {"code": proof}})

    assert first.status_code == 200
    assert (again.status_code, again.json()["code"]) == (422, "STEP_UP_INVALID")


@pytest.mark.parametrize(
    ("proof", "code"),
    [
        ({"pin": "9999"}, "PIN_WRONG"),
        ({"password": "wrong"}, "PASSWORD_WRONG"),
        ({"code": "msu_unknown"}, "STEP_UP_INVALID"),
    ],
)
def test_a_proof_that_proves_nothing_changes_nothing(proof, code, session_of, till, ann):
    answer = session_of(ann).put("/members/me/pin/", {"pin": NEW, "proof": proof})

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert is_pin(till, ann, PIN)
    assert not Activity.objects.exists()


@pytest.mark.parametrize(
    ("pin", "reason"),
    [("1234", "SEQUENCE"), ("7777", "REPEATED"), ("12345", "WRONG_LENGTH"), (PIN, "REUSED")],
)
def test_a_weak_pin_is_refused_and_its_proof_not_used_up(pin, reason, session_of, till, ann):
    api = session_of(ann)
    proof = api.post("/members/me/pin/verify/", {"pin": PIN, "purpose": "PIN"}).json()["step_up"]

    answer = api.put("/members/me/pin/", {"pin": pin, "proof": {"code": proof}})

    assert (answer.status_code, answer.json()["code"]) == (422, "PIN_REFUSED")
    assert (answer.json()["reason"], answer.json()["digits"]) == (reason, 4)
    assert api.put("/members/me/pin/", {"pin": NEW, "proof": {"code": proof}}).status_code == 200


def test_the_programme_says_how_many_digits(house, member):
    Program.objects.update(pin_digits=6)

    assert house.put(pin_of(member), {"pin": PIN}).json()["digits"] == 6
    assert house.put(pin_of(member), {"pin": "258013"}).status_code == 200


def test_a_right_pin_gives_a_step_up(till, partner, ann, now):
    answer = till.post(verify_of(ann), {"pin": PIN, **REDEEM})

    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"step_up", "expires_at", "attempts_left"}
    row = StepUp.objects.get()
    assert (row.member_id, row.purpose, row.points, row.point_type) == (
        ann.pk,
        "REDEEM",
        500,
        "PTS",
    )
    assert row.partner_id == partner.pk
    assert row.expires_at - row.created_at == timedelta(minutes=5)
    assert body["step_up"] not in str(StepUp.objects.values().get())


def test_a_wrong_pin_says_how_many_attempts_are_left_then_locks_out(till, ann):
    answers = [till.post(verify_of(ann), {"pin": "9999", **REDEEM}) for _ in range(5)]
    locked = till.post(verify_of(ann), {"pin": PIN, **REDEEM})

    assert [each.json()["attempts_left"] for each in answers] == [4, 3, 2, 1, 0]
    assert {(each.status_code, each.json()["code"]) for each in answers} == {(422, "PIN_WRONG")}
    assert (locked.status_code, locked.json()["code"]) == (423, "LOCKED_OUT")
    assert not StepUp.objects.exists()


def test_a_right_one_begins_the_count_anew(till, ann):
    for _ in range(3):
        for _ in range(4):
            till.post(verify_of(ann), {"pin": "9999", **REDEEM})
        assert is_pin(till, ann, PIN)

    assert not Attempt.objects.exists()


def test_attempts_at_the_proof_count_as_well(session_of, till, ann):
    api = session_of(ann)
    for _ in range(5):
        api.put("/members/me/pin/", {"pin": NEW, "proof": {"pin": "9999"}})

    assert till.post(verify_of(ann), {"pin": PIN, **REDEEM}).status_code == 423


def test_who_has_no_pin_is_told_so(till, member):
    answer = till.post(verify_of(member), {"pin": PIN, **REDEEM})

    assert (answer.status_code, answer.json()["code"]) == (422, "PIN_NOT_SET")


def test_a_password_stands_in_where_the_programme_says_so(till, ann):
    refused = till.post(verify_of(ann), {"password": PASSWORD, **REDEEM})
    Program.objects.update(password_steps_up=True)

    allowed = till.post(verify_of(ann), {"password": PASSWORD, **REDEEM})
    wrong = till.post(verify_of(ann), {"password": "wrong", **REDEEM})

    assert refused.json()["errors"][0]["pointer"] == "/password"
    assert allowed.status_code == 200
    assert (wrong.json()["code"], wrong.json()["attempts_left"]) == ("PIN_WRONG", 4)


def test_a_partner_sets_no_pin_and_an_unknown_member_has_none(till, house, ann):
    unknown = MemberFactory.build(number="9" * 10)

    assert till.put(pin_of(ann), {"pin": NEW}).json()["scope"] == "pins:write"
    assert house.put(pin_of(unknown), {"pin": NEW}).json()["code"] == "MEMBER_NOT_FOUND"
    assert till.post(verify_of(unknown), {"pin": PIN, **REDEEM}).status_code == 404


def test_a_changed_pin_voids_the_step_ups_of_the_old(till, session_of, ann):
    till.post(verify_of(ann), {"pin": PIN, **REDEEM})

    session_of(ann).put("/members/me/pin/", {"pin": NEW, "proof": {"pin": PIN}})

    assert not StepUp.objects.filter(spent_at=None).exists()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({**REDEEM}, "/pin"),
        ({"pin": PIN, "password": PASSWORD, **REDEEM}, "/pin"),
        ({"pin": "25a0", **REDEEM}, "/pin"),
        ({"pin": 2580, **REDEEM}, "/pin"),
        ({"pin": "٢٥٨٠", **REDEEM}, "/pin"),
        ({"pin": PIN, "purpose": "REDEEM", "type": "PTS"}, "/points"),
        ({"pin": PIN, "purpose": "REDEEM", "points": 5}, "/type"),
        ({"pin": PIN, "purpose": "PIN", "points": 5}, "/points"),
        ({"pin": PIN, "purpose": "OTHER"}, "/purpose"),
        ({"pin": PIN, "purpose": "REDEEM", "points": 0, "type": "PTS"}, "/points"),
    ],
)
def test_a_body_that_is_wrong_is_told_where_and_counts_nothing(body, pointer, till, ann):
    answer = till.post(verify_of(ann), body)

    assert answer.status_code == 400
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert PIN not in answer.content.decode()
    assert not Attempt.objects.exists()


@pytest.mark.parametrize(
    "proof", [{}, {"pin": PIN, "password": PASSWORD}, {"pin": ""}, {"x": 1}, []]
)
def test_a_proof_is_exactly_one(proof, house, ann):
    assert house.put(pin_of(ann), {"pin": NEW, "proof": proof}).status_code == 400


def test_a_pin_is_kept_with_a_pepper(ann):
    encoded = Credential.objects.get().pin

    assert PIN not in encoded
    assert not hashers.check_password(PIN, encoded)
    with override_settings(LAUREL_PIN_PEPPER="another"), pytest.raises(pins.PinWrong):
        pins.check_pin(ann.pk, pins.Secret(PIN), at=ann.joined_at)


def test_one_pin_of_two_members_is_kept_differently(ann):
    other = with_pin(MemberFactory())
    Credential.objects.filter(pk=other.pk).update(pin=Credential.objects.get(pk=ann.pk).pin)

    with pytest.raises(pins.PinWrong):
        pins.check_pin(other.pk, pins.Secret(PIN), at=other.joined_at)


def test_no_log_line_history_or_key_holds_a_pin(house, till, ann, caplog):
    caplog.set_level(logging.DEBUG)
    key = {"Idempotency-Key": "K1"}
    house.put(pin_of(ann), {"pin": "60419", "proof": {"pin": PIN}}, **key)
    till.post(verify_of(ann), {"pin": "604193", **REDEEM}, **key)

    told = caplog.text + str(
        list(Activity.objects.values()) + list(IdempotencyKey.objects.values())
    )

    assert "6041" not in told


@pytest.mark.parametrize(("broken", "kept"), [("verify_password", PIN), ("make_password", None)])
def test_an_error_report_with_locals_holds_no_pin(broken, kept, house, member, monkeypatch):
    """What a crash reporter would send: every local variable of every frame, written out."""
    from loyalty.api import exceptions

    if kept:
        with_pin(member, kept)
    reports, whole = [], exceptions.as_refusal

    def fail(*arguments, **options):
        raise RuntimeError("the hasher broke")

    def captured(error):
        for frame, _ in traceback.walk_tb(error.__traceback__):
            reports.extend(f"{name}={value!r}" for name, value in frame.f_locals.items())
        return whole(error)

    monkeypatch.setattr(exceptions, "as_refusal", captured)
    monkeypatch.setattr(pins, broken, fail)
    proof = {"proof": {"pin": "836201"}} if kept else {}

    answer = house.put(pin_of(member), {"pin": "8326", **proof})

    assert answer.status_code == 500
    assert "PinBody(…)" in str(reports)
    assert not [each for each in reports if "8326" in each or "836201" in each]


@pytest.mark.parametrize("page", ["members_member_change"])
def test_the_back_office_shows_no_credential(page, client, ann):
    client.force_login(UserFactory(is_superuser=True))

    shown = client.get(reverse(f"admin:{page}", args=[ann.pk])).content.decode()

    credential = Credential.objects.get()
    assert credential.pin not in shown
    assert credential.password not in shown
