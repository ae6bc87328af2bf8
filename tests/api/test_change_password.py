"""Change Password: with the old one, by the policy, and the other sessions end."""

import pytest

from members.models import Activity, Credential
from tests.factories.credentials import PASSWORD, with_password

URL = "/sessions/current/password/"
NEW = "a wholly new sentence"


@pytest.fixture
def ann(member):
    member.first_name, member.last_name, member.email = "Annabella", "Lee", "ann@example.org"
    member.save()
    return with_password(member)


def test_the_new_password_is_kept_and_other_sessions_end(session_of, ann, app):
    here, there = session_of(ann), session_of(ann)

    answer = here.post(URL, {"old": PASSWORD, "new": NEW})

    assert (answer.status_code, answer.json()) == (200, {"ended": 1})
    assert here.get("/members/me/points/").status_code == 200
    assert there.get("/members/me/points/").status_code == 401
    login = {"login": ann.number, "password": NEW}
    assert app.post("/sessions/", login).status_code == 200
    assert app.post("/sessions/", {**login, "password": PASSWORD}).status_code == 401
    line = Activity.objects.get()
    assert (line.kind, line.actor_kind, line.data) == (
        "PASSWORD_CHANGED", "MEMBER", {"sessions_ended": 1}
    )  # fmt: skip


def test_a_wrong_old_one_counts_to_lock_out(session_of, ann):
    api = session_of(ann)
    left = [
        api.post(URL, {"old": "wrong", "new": NEW}).json().get("attempts_left") for _ in range(10)
    ]

    locked = api.post(URL, {"old": PASSWORD, "new": NEW})

    assert left == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert locked.status_code == 423
    assert not Activity.objects.exists()


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ("short", "PASSWORD_TOO_SHORT"),
        ("password123", "PASSWORD_TOO_COMMON"),
        ("7351936482", "PASSWORD_ENTIRELY_NUMERIC"),
        ("annabella1", "PASSWORD_TOO_SIMILAR"),
        (PASSWORD, "PASSWORD_REUSED"),
    ],
)
def test_a_weak_or_used_one_is_refused(new, code, session_of, ann):
    before = Credential.objects.get().password

    answer = session_of(ann).post(URL, {"old": PASSWORD, "new": new})

    assert (answer.status_code, answer.json()["code"]) == (422, "PASSWORD_REFUSED")
    assert code in [each["code"] for each in answer.json()["reasons"]]
    assert Credential.objects.get().password == before


def test_the_last_ones_do_not_come_back(session_of, ann):
    api = session_of(ann)
    old = PASSWORD
    for new in ("first new sentence", "second new sentence", "third new sentence"):
        assert api.post(URL, {"old": old, "new": new}).status_code == 200
        old = new

    again = api.post(URL, {"old": old, "new": PASSWORD})

    assert again.json()["reasons"][0]["code"] == "PASSWORD_REUSED"
    assert len(Credential.objects.get().former_passwords) == 3


def test_a_member_without_a_password_has_none_to_change(session_of, member):
    answer = session_of(member).post(URL, {"old": PASSWORD, "new": NEW})

    assert answer.json()["code"] == "PASSWORD_WRONG"


def test_a_client_has_no_password(house):
    assert house.post(URL, {"old": PASSWORD, "new": NEW}).json()["code"] == "SESSION_NEEDED"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", {}, {"old": 1, "new": NEW}, {"old": "", "new": ""}]
)
def test_a_body_that_is_none_is_told_so(body, session_of, ann):
    assert session_of(ann).post(URL, body).status_code == 400
