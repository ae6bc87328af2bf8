"""One-time codes: sent, confirmed once, and what each gives."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core import mail

from loyalty.models import Program
from members.models import Member, Verification
from members.services import sms
from tests.factories.credentials import PASSWORD, limits, with_password, with_pin
from tests.factories.ledger import give
from tests.factories.members import MemberFactory
from tests.factories.messages import code_in, deliver, mailed

ASK = "/verifications/"
CONFIRM = "/verifications/confirm/"


@pytest.fixture
def texts(settings, tmp_path):
    """The SMS that went out, as the default sender writes them."""
    settings.LAUREL_SMS_FOLDER = tmp_path / "sms"
    sms.sender.cache_clear()
    return lambda: [
        each.read_text(encoding="utf-8") for each in sorted((tmp_path / "sms").glob("*"))
    ]


@pytest.fixture
def ann(program, partner):
    member = MemberFactory(email="ann@example.org", phone="+436641234567")
    return with_password(member)


def asked(api, purpose, channel="email", **changes):
    body = {"purpose": purpose, "channel": channel, **changes}
    return api.post(ASK, {key: value for key, value in body.items() if value is not None})


def code_for(api, purpose, **changes):
    """Return the id and the code that came by mail."""
    key = asked(api, purpose, **changes).json()["id"]
    deliver()
    return {"id": key, "code": code_in(mailed().body)}


def wrong(code):
    return f"{(int(code) + 1) % 10**6:06}"


def test_a_pending_member_confirms_the_mail_and_is_active(app, ann, now):
    Program.objects.update(confirm_contact=True)
    Member.objects.update(stage="PENDING")

    answer = app.post(CONFIRM, code_for(app, "CONTACT", login="ann@example.org"))

    assert answer.status_code == 200
    assert answer.json() == {
        "purpose": "CONTACT", "stage": "ACTIVE", "proof": None, "expires_at": None
    }  # fmt: skip
    ann.refresh_from_db()
    assert (ann.stage, ann.phone_confirmed_at) == ("ACTIVE", None)
    assert ann.email_confirmed_at is not None


def test_where_the_programme_does_not_ask_a_pending_member_stays(app, ann):
    Member.objects.update(stage="PENDING")

    assert (
        app.post(CONFIRM, code_for(app, "CONTACT", login=ann.number)).json()["stage"] == "PENDING"
    )


def test_a_code_by_sms(session_of, ann, texts):
    api = session_of(ann)
    answer = asked(api, "CONTACT", "sms")
    assert (answer.status_code, answer.json()["to"]) == (202, "+43***67")
    deliver()
    [text] = texts()
    assert text.startswith("To: +436641234567\n")
    code = re.findall(r"\n([0-9]{6}) is your code for Laurel", text)[0]

    assert api.post(CONFIRM, {"id": answer.json()["id"], "code": code}).status_code == 200

    assert Member.objects.get().phone_confirmed_at is not None
    assert mail.outbox == []


def test_a_code_signs_in(app, ann):
    sent = code_for(app, "SIGN_IN", login="0664 1234567")

    answer = app.post("/sessions/", {"verification": sent["id"], "code": sent["code"]})
    again = app.post("/sessions/", {"verification": sent["id"], "code": sent["code"]})

    assert answer.status_code == 200
    assert (answer.json()["member"], answer.json()["stage"]) == (ann.number, "ACTIVE")
    assert (again.status_code, again.json()["code"]) == (401, "SIGN_IN_FAILED")


def test_a_code_helps_who_is_locked_out(app, ann):
    for _ in range(6):
        app.post("/sessions/", {"login": "ann@example.org", "password": "wrong"})
    sent = code_for(app, "SIGN_IN", login="ann@example.org")

    assert (
        app.post("/sessions/", {"verification": sent["id"], "code": sent["code"]}).status_code
        == 200
    )
    login = {"login": "ann@example.org", "password": PASSWORD}
    assert app.post("/sessions/", login).status_code == 200


def test_a_code_is_for_its_purpose(app, ann):
    to_confirm = code_for(app, "CONTACT", login="ann@example.org")
    to_sign_in = code_for(app, "SIGN_IN", login="ann@example.org")

    entered = app.post("/sessions/", {"verification": to_confirm["id"], "code": to_confirm["code"]})

    assert entered.json()["code"] == "SIGN_IN_FAILED"
    assert app.post(CONFIRM, to_sign_in).json()["code"] == "CODE_WRONG"


def test_a_code_for_the_pin_is_its_proof(session_of, till, ann):
    api = session_of(ann)
    proof = api.post(CONFIRM, code_for(api, "PIN")).json()["proof"]

    answer = api.put("/members/me/pin/", {"pin": "2580", "proof": {"code": proof}})

    assert answer.status_code == 200
    body = {"pin": "2580", "purpose": "REDEEM", "points": 5, "type": "PTS"}
    assert till.post(f"/members/{ann.number}/pin/verify/", body).status_code == 200


def test_a_code_raises_the_threshold(session_of, ann):
    limits(ann, per_transaction="1.00")
    api = session_of(ann)
    proof = api.post(CONFIRM, code_for(api, "THRESHOLD")).json()["proof"]
    body = {"per_transaction": {"amount": "5.00", "currency": "EUR"}, "step_up": proof}

    assert api.put("/members/me/redemption-threshold/", body).status_code == 200


def test_a_code_steps_up_a_redemption_by_the_house(house, ann, now):
    give(ann, 100)
    limits(ann, per_transaction="0.00")
    sent = code_for(house, "REDEEM", login=ann.number, points=60, type="PTS")
    proof = house.post(CONFIRM, sent).json()["proof"]
    body = {
        "member": {"number": ann.number},
        "reference": "X1",
        "occurred_at": now.isoformat(),
        "type": "PTS",
        "points": 60,
    }

    assert house.post("/transactions/redeem/", body).json()["code"] == "STEP_UP_REQUIRED"
    assert house.post("/transactions/redeem/", {**body, "step_up": proof}).status_code == 201


def test_five_wrong_codes_end_it(app, ann):
    sent = code_for(app, "CONTACT", login="ann@example.org")
    left = [
        app.post(CONFIRM, {**sent, "code": wrong(sent["code"])}).json()["attempts_left"]
        for _ in range(5)
    ]

    late = app.post(CONFIRM, sent)

    assert left == [4, 3, 2, 1, 0]
    assert (late.status_code, late.json()["code"], late.json()["attempts_left"]) == (
        422, "CODE_WRONG", 0
    )  # fmt: skip
    assert Member.objects.get().email_confirmed_at is None


def test_a_code_works_once_and_for_ten_minutes(app, ann, now):
    first = code_for(app, "CONTACT", login="ann@example.org")
    second = code_for(app, "CONTACT", login="ann@example.org")
    row = Verification.objects.get(pk=second["id"])
    assert row.expires_at - row.created_at == timedelta(minutes=10)
    assert app.post(CONFIRM, first).status_code == 200
    assert app.post(CONFIRM, first).status_code == 422
    Verification.objects.update(expires_at=now - timedelta(seconds=1))

    assert app.post(CONFIRM, second).status_code == 422


def test_a_session_confirms_its_own_codes_only(app, session_of, ann):
    sent = code_for(app, "CONTACT", login="ann@example.org")

    answer = session_of(MemberFactory()).post(CONFIRM, sent)

    assert answer.json()["code"] == "CODE_WRONG"
    assert app.post(CONFIRM, sent).status_code == 200


def test_a_code_that_was_not_sent_fits_nothing(app, ann):
    key = asked(app, "CONTACT", login="ann@example.org").json()["id"]

    for code in ("000000", "", " ", "None"):
        assert app.post(CONFIRM, {"id": key, "code": code}).status_code in (400, 422)
    assert app.post(CONFIRM, {"id": str(uuid4()), "code": "000000"}).status_code == 422


@pytest.mark.parametrize(
    "whom",
    [
        {"login": "nobody@example.org"},
        {"login": "ann@example.org", "to": "ann@elsewhere.org"},
        {"login": "ann@example.org", "channel": "sms", "to": "+436991234567"},
        {"member": {"number": "9999999999"}},
        {"member": {"card": "X1"}},
    ],
)
@pytest.mark.parametrize("purpose", ["CONTACT", "SIGN_IN", "PIN"])
def test_nobody_learns_who_there_is(whom, purpose, app, ann):
    known = asked(app, purpose, login="ann@example.org")

    answer = asked(app, purpose, **whom)

    assert answer.status_code == known.status_code == 202
    assert set(answer.json()) == set(known.json())
    assert answer.json()["to"] is known.json()["to"] is None
    assert deliver() == 1
    guess = app.post(CONFIRM, {"id": answer.json()["id"], "code": "123456"})
    assert (guess.status_code, guess.json()["attempts_left"]) == (422, 4)


def test_a_member_reference_is_as_good_as_a_login(house, ann):
    sent = code_for(house, "CONTACT", member={"number": ann.number}, to="Ann@Example.org")

    assert house.post(CONFIRM, sent).status_code == 200


def test_a_session_is_told_that_it_has_no_such_contact(session_of, ann):
    Member.objects.update(phone="")
    api = session_of(ann)

    missing = asked(api, "CONTACT", "sms")
    other = asked(api, "CONTACT", to="ann@elsewhere.org")

    assert (missing.status_code, missing.json()["code"]) == (422, "CONTACT_MISSING")
    assert other.json()["channel"] == "email"
    assert not Verification.objects.exists()


def test_codes_that_open_something_go_to_confirmed_contacts_where_these_are_asked_for(
    app, ann, now
):
    Program.objects.update(confirm_contact=True)

    asked(app, "SIGN_IN", login="ann@example.org")
    assert deliver() == 0
    Member.objects.update(email_confirmed_at=now)
    asked(app, "SIGN_IN", login="ann@example.org")
    assert deliver() == 1


@pytest.mark.parametrize("login", ["ann@example.org", "nobody@example.org"])
def test_nobodys_phone_rings_all_night(login, app, ann):
    answers = [asked(app, "CONTACT", login=login).status_code for _ in range(6)]

    assert answers == [202] * 5 + [423]


def test_a_code_that_was_right_begins_the_count_anew(app, ann):
    for _ in range(7):
        assert (
            app.post(CONFIRM, code_for(app, "CONTACT", login="ann@example.org")).status_code == 200
        )


def test_no_code_is_kept(app, ann):
    sent = code_for(app, "CONTACT", login="ann@example.org")
    row = Verification.objects.get()

    assert len(bytes(row.secret_hash)) == 32
    assert sent["code"] not in str({**row.__dict__, "id": "", "secret_hash": ""})


def test_the_same_asking_again_sends_one_message(app, ann):
    key = {"Idempotency-Key": "K1"}
    body = {"purpose": "CONTACT", "channel": "email", "login": "ann@example.org"}
    first, again = app.post(ASK, body, **key), app.post(ASK, body, **key)

    assert first.json() == again.json()
    assert Verification.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"login": None}, "/login"),
        ({"member": {"number": "1"}}, "/login"),
        ({"login": None, "member": {}}, "/member"),
        ({"purpose": "OTHER"}, "/purpose"),
        ({"purpose": "PASSWORD"}, "/purpose"),
        ({"channel": "EMAIL"}, "/channel"),
        ({"to": "nothing"}, "/to"),
        ({"channel": "sms", "to": "ann@example.org"}, "/to"),
        ({"points": 5}, "/points"),
        ({"purpose": "REDEEM", "type": "PTS"}, "/points"),
        ({"address": "::1"}, "/address"),
        ({"address": "somewhere"}, "/address"),
    ],
)
def test_an_asking_that_is_wrong_is_told_where(changes, pointer, app, ann):
    body = {"purpose": "CONTACT", "channel": "email", "login": "ann@example.org", **changes}
    answer = app.post(ASK, {key: value for key, value in body.items() if value is not None})

    assert answer.status_code == 400
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert not Verification.objects.exists()


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"login": "a"}, "/login"),
        ({"member": {"number": "1"}}, "/member"),
        ({"purpose": "SIGN_IN"}, "/purpose"),
    ],
)
def test_a_session_names_nobody(changes, pointer, session_of, ann):
    body = {"purpose": "CONTACT", "channel": "email", **changes}

    answer = session_of(ann).post(ASK, body)

    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


def test_one_way_in_is_given_whole(app, ann):
    bodies = [
        {"verification": str(uuid4())},
        {"code": "123456"},
        {"login": "a", "password": "b", "code": "123456"},
        {"login": "a"},
        {},
    ]
    pointers = [app.post("/sessions/", body).json()["errors"][0]["pointer"] for body in bodies]

    assert pointers == ["/code", "/verification", "/code", "/password", "/login"]


def test_a_pin_of_who_forgot_it_is_set_by_code(session_of, till, ann):
    with_pin(ann)
    api = session_of(ann)
    proof = api.post(CONFIRM, code_for(api, "PIN")).json()["proof"]

    assert api.put("/members/me/pin/", {"pin": "1937", "proof": {"code": proof}}).status_code == 200
