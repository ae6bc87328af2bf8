"""Forgot Password: a token by e-mail, once, and nobody learns who there is."""

from datetime import timedelta

import pytest
from django.core import mail
from django.test import override_settings

from loyalty.models import Language, Program
from members.models import Activity, Credential, Member, Session, StepUp, Verification
from tests.factories.credentials import PASSWORD, with_password
from tests.factories.members import MemberFactory
from tests.factories.messages import deliver, mailed, token_in

FORGOT = "/passwords/forgot/"
RESET = "/passwords/reset/"
NEW = "a wholly new sentence"


@pytest.fixture
def ann(program, partner):
    return with_password(
        MemberFactory(email="ann@example.org", phone="+436641234567", first_name="Ann")
    )


@pytest.fixture
def token(app, ann):
    app.post(FORGOT, {"login": "ann@example.org"})
    deliver()
    return token_in(mailed().body)


def test_a_token_comes_by_mail_and_sets_a_new_password(app, ann, session_of):
    there = session_of(ann)

    answer = app.post(FORGOT, {"login": ann.number})
    assert (answer.status_code, answer.json()) == (202, {"expires_in": 3600})
    assert deliver() == 1
    assert mailed().to == ["ann@example.org"]
    reset = app.post(RESET, {"token": token_in(mailed().body), "password": NEW})

    assert (reset.status_code, reset.json()) == (200, {"ended": 1})
    assert there.get("/members/me/points/").status_code == 401
    login = {"login": "ann@example.org", "password": NEW}
    assert app.post("/sessions/", login).status_code == 200
    assert app.post("/sessions/", {**login, "password": PASSWORD}).status_code == 401
    kinds = list(Activity.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["CONTACT_CONFIRMED", "PASSWORD_RESET"]


def disabled(ann):
    Member.objects.update(stage="DISABLED")
    return "ann@example.org"


def of_two(ann):
    MemberFactory(email="ann@example.org")
    return "ann@example.org"


def without_mail(ann):
    Member.objects.update(email="")
    return ann.number


def unconfirmed(ann):
    Program.objects.update(confirm_contact=True)
    return ann.number


@pytest.mark.parametrize(
    "of",
    [
        lambda ann: "nobody@example.org",
        lambda ann: "x",
        disabled,
        of_two,
        without_mail,
        unconfirmed,
    ],
)
def test_whoever_is_meant_the_answer_is_the_same_and_nothing_is_sent(of, app, ann, statements):
    app.post(FORGOT, {"login": "+436641234567"})
    statements.sent.clear()
    known = app.post(FORGOT, {"login": "+436641234567"})
    costs = len(statements.sent)
    login = of(ann)
    statements.sent.clear()

    answer = app.post(FORGOT, {"login": login})

    assert (answer.status_code, answer.json()) == (known.status_code, known.json())
    assert len(statements.sent) == costs
    Verification.objects.exclude(member=None).delete()
    assert deliver() == 0
    assert mail.outbox == []


def test_a_token_works_once(app, token):
    assert app.post(RESET, {"token": token, "password": NEW}).status_code == 200

    again = app.post(RESET, {"token": token, "password": "yet another sentence"})

    assert (again.status_code, again.json()["code"]) == (422, "RESET_INVALID")


def test_a_token_may_be_typed(app, token):
    typed = f" {token.replace('-', ' ').lower()} "

    assert app.post(RESET, {"token": typed, "password": NEW}).status_code == 200


def test_a_token_ends_after_an_hour(app, ann, token, now):
    Verification.objects.update(expires_at=now - timedelta(seconds=1))

    assert app.post(RESET, {"token": token, "password": NEW}).json()["code"] == "RESET_INVALID"
    assert app.post("/sessions/", {"login": ann.number, "password": PASSWORD}).status_code == 200


def test_one_that_is_used_ends_the_others(app, ann, token):
    app.post(FORGOT, {"login": "ann@example.org"})
    deliver()
    later = token_in(mailed().body)
    assert app.post(RESET, {"token": later, "password": NEW}).status_code == 200

    assert app.post(RESET, {"token": token, "password": "yet another"}).status_code == 422


def test_a_weak_password_leaves_the_token(app, ann, token):
    weak = app.post(RESET, {"token": token, "password": "short"})
    used = app.post(RESET, {"token": token, "password": PASSWORD})

    assert [each.json()["code"] for each in (weak, used)] == ["PASSWORD_REFUSED"] * 2
    assert app.post(RESET, {"token": token, "password": NEW}).status_code == 200


@pytest.mark.parametrize("wrong", ["x", "ABCD-EFGH-JKMN-PQRS-TVWX", "-", "é"])
def test_a_made_up_token_is_nobodys(wrong, app, ann, token):
    before = Credential.objects.get().password

    answer = app.post(RESET, {"token": wrong, "password": NEW})

    assert (answer.status_code, answer.json()["code"]) == (422, "RESET_INVALID")
    assert Credential.objects.get().password == before


def test_who_was_locked_out_comes_in_again(app, ann, token):
    for _ in range(6):
        app.post("/sessions/", {"login": "ann@example.org", "password": "wrong"})
    assert app.post(RESET, {"token": token, "password": NEW}).status_code == 200

    assert app.post("/sessions/", {"login": "ann@example.org", "password": NEW}).status_code == 200


@pytest.mark.parametrize("login", ["ann@example.org", "nobody@example.org"])
def test_nobodys_inbox_is_filled(login, app, ann):
    answers = [app.post(FORGOT, {"login": login}).status_code for _ in range(6)]

    assert answers == [202] * 5 + [423]


def test_a_pending_member_who_reads_the_mail_is_active(app, ann, token):
    Program.objects.update(confirm_contact=True)
    Member.objects.update(stage="PENDING")

    app.post(RESET, {"token": token, "password": NEW})

    assert Member.objects.get().stage == "ACTIVE"
    assert Member.objects.get().email_confirmed_at is not None


def test_the_mail_has_a_link_where_the_app_has_a_page(app, ann):
    with override_settings(LAUREL_PASSWORD_RESET_URL="https://app.example/new?t={token}"):
        app.post(FORGOT, {"login": "ann@example.org"})
        deliver()

    html = mailed().alternatives[0][0]
    token = token_in(mailed().body)
    assert f"https://app.example/new?t={token}" in mailed().body
    assert f'href="https://app.example/new?t={token}"' in html


@pytest.mark.parametrize(
    ("language", "programme", "subject"),
    [
        ("de-AT", "en", "Laurel: neues Passwort"),
        ("en", "de", "Laurel: set a new password"),
        ("", "de", "Laurel: neues Passwort"),
        ("fr", "de", "Laurel: neues Passwort"),
        ("fr", "it", "Laurel: set a new password"),
    ],
)
def test_the_mail_is_in_the_members_language_or_the_next(language, programme, subject, app, ann):
    Language.objects.update(is_default=False)
    Language.objects.update_or_create(
        code=programme, defaults={"name": programme, "is_default": True, "fallback": None}
    )
    Member.objects.update(language=language)
    app.post(FORGOT, {"login": "ann@example.org"})
    deliver()

    assert mailed().subject == subject


@pytest.mark.parametrize(
    ("name", "greeting"),
    [("Ann", "Hello Ann,"), ("O'Hara-Łuć", "Hello O'Hara-Łuć,"), ("see evil.example", "Hello,")],
)
def test_the_mail_says_no_strangers_sentence(name, greeting, app, ann):
    Member.objects.update(first_name=name)
    app.post(FORGOT, {"login": "ann@example.org"})
    deliver()

    assert mailed().body.startswith(greeting)


def test_no_token_is_kept(app, ann, token):
    row = str(Verification.objects.values().get())

    assert token not in row
    assert token.replace("-", "") not in row


def test_step_ups_and_sessions_end(app, ann, token, session_of):
    session_of(ann)
    app.post(RESET, {"token": token, "password": NEW})

    assert not Session.objects.filter(ended_at=None).exists()
    assert not StepUp.objects.filter(spent_at=None).exists()


def test_a_partner_cannot_ask(till, ann):
    assert till.post(FORGOT, {"login": "a"}).json()["scope"] == "sessions:write"
    assert till.post(RESET, {"token": "a", "password": NEW}).json()["scope"] == "sessions:write"
