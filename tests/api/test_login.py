"""Login and refresh: whoever knows, and nobody else; and nobody learns who there is."""

from datetime import timedelta

import pytest
from django.contrib.auth import hashers
from django.test import override_settings

from loyalty import token_cache
from loyalty.models import Attempt
from members.models import Activity, Alias, Credential, Member, Session
from members.services import sessions
from tests.factories.credentials import PASSWORD, hash_of_old_make, with_password
from tests.factories.members import AliasFactory, MemberFactory

LOGIN = "/sessions/"
REFRESH = "/sessions/refresh/"


@pytest.fixture
def ann(program, partner):
    return with_password(
        MemberFactory(
            card="6275000000000017", email="ann@example.org", phone="+436641234567", last_name="Lee"
        )
    )


def failed(response):
    return (response.status_code, response.json()["code"]) == (401, "SIGN_IN_FAILED")


@pytest.mark.parametrize(
    "login",
    [
        "ann@example.org",
        " Ann@Example.ORG ",
        "+43 664 123 45 67",
        "0664 1234567",
        "6275000000000017",
        "fb-77",
    ],
)
def test_each_name_of_a_member_signs_in(login, app, ann):
    AliasFactory(member=ann, value="fb-77")

    answer = app.post(LOGIN, {"login": login, "password": PASSWORD})

    assert answer.status_code == 200, answer.json()
    body = answer.json()
    assert set(body) == {
        "token", "expires_in", "refresh", "member", "stage", "must_change_password"
    }  # fmt: skip
    assert (body["member"], body["stage"]) == (ann.number, "ACTIVE")
    assert (body["expires_in"], body["must_change_password"]) == (1800, False)
    assert body["token"].startswith("mst_")


def test_the_member_number_signs_in_and_the_token_is_the_members(app, ann):
    token = app.post(LOGIN, {"login": ann.number, "password": PASSWORD}).json()["token"]
    app.headers = {"Authorization": f"Bearer {token}"}

    assert app.get("/members/me/points/").json()["member"] == ann.number


def test_a_server_signs_in_for_its_app(house, ann):
    answer = house.post(
        LOGIN,
        {
            "login": "ann@example.org",
            "password": PASSWORD,
            "device": "Ann's phone",
            "address": "::1",
        },
    )

    assert answer.status_code == 200
    assert Session.objects.get().device == "Ann's phone"


def test_an_app_is_seen_by_its_own_address(app, ann):
    answer = app.post(LOGIN, {"login": "ann@example.org", "password": PASSWORD, "address": "::1"})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/address"


def test_a_partner_cannot_sign_members_in(till, ann):
    answer = till.post(LOGIN, {"login": "ann@example.org", "password": PASSWORD})

    assert (answer.status_code, answer.json()["scope"]) == (403, "sessions:write")


def no_password(ann):
    Credential.objects.update(password="")
    return "ann@example.org"


def no_credential(ann):
    Credential.objects.all().delete()
    return "ann@example.org"


def disabled(ann):
    Member.objects.update(stage="DISABLED")
    return "ann@example.org"


def of_two(ann):
    with_password(MemberFactory(email="ann@example.org"))
    return "ann@example.org"


FAILURES = [
    lambda ann: "nobody@example.org",
    lambda ann: "0699 1234567",
    lambda ann: "nothing at all",
    no_password,
    no_credential,
    disabled,
    of_two,
]


@pytest.mark.parametrize("of", FAILURES)
def test_whatever_is_wrong_the_answer_is_the_same(of, app, ann):
    wrong = app.post(LOGIN, {"login": "+436641234567", "password": "wrong"})
    login = of(ann)

    answer = app.post(LOGIN, {"login": login, "password": PASSWORD})

    assert failed(wrong)
    assert failed(answer)
    same = {"request_id": None}
    assert {**answer.json(), **same} == {**wrong.json(), **same}
    assert set(answer.headers) == set(wrong.headers)
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="laurel"'
    assert not Session.objects.exists()


@pytest.mark.parametrize("of", FAILURES)
def test_whatever_is_wrong_one_hash_is_computed(of, app, ann, monkeypatch):
    login = of(ann)
    hashed = []
    whole = hashers.MD5PasswordHasher.encode

    def encode(self, password, salt):
        hashed.append(1)
        return whole(self, password, salt)

    monkeypatch.setattr(hashers.MD5PasswordHasher, "encode", encode)
    app.post(LOGIN, {"login": login, "password": "wrong"})

    assert len(hashed) == 1


def test_of_two_with_one_address_the_one_who_confirmed_it_is_meant(app, ann, now):
    other = with_password(MemberFactory(email="ann@example.org"), "another one entirely")
    Member.objects.filter(pk=other.pk).update(email_confirmed_at=now)

    answer = app.post(LOGIN, {"login": "ann@example.org", "password": "another one entirely"})

    assert answer.json()["member"] == other.number
    assert failed(app.post(LOGIN, {"login": "ann@example.org", "password": PASSWORD}))


def test_one_who_left_is_in_nobodys_way(app, ann):
    with_password(MemberFactory(email="ann@example.org", stage="CLOSED"))

    assert app.post(LOGIN, {"login": "ann@example.org", "password": PASSWORD}).status_code == 200


def test_nobody_hides_another_behind_an_alias(app, ann):
    thief = with_password(MemberFactory(), "the thief's own one")
    AliasFactory(member=thief, value="ann@example.org")

    answer = app.post(LOGIN, {"login": "ann@example.org", "password": PASSWORD})

    assert answer.json()["member"] == ann.number
    assert Alias.objects.count() == 1


def test_a_merged_member_signs_in_as_the_survivor(app, ann):
    survivor = with_password(MemberFactory(), "the survivor's own")
    Member.objects.filter(pk=ann.pk).update(stage="MERGED", merged_into=survivor)

    answer = app.post(LOGIN, {"login": ann.number, "password": "the survivor's own"})

    assert answer.json()["member"] == survivor.number


@pytest.mark.parametrize(
    "login", ["ann@example.org", "nobody@example.org", "+436641234567", "+436991234567", "nothing"]
)
def test_five_failures_lock_a_name_out_known_or_not(login, app, ann, now):
    for _ in range(5):
        assert failed(app.post(LOGIN, {"login": login, "password": "wrong"}))

    locked = app.post(LOGIN, {"login": login, "password": PASSWORD})

    assert (locked.status_code, locked.json()["code"]) == (423, "LOCKED_OUT")
    assert locked.json()["until"]
    assert locked.json()["attempts_left"] == 0


def test_another_spelling_is_the_same_name(app, ann):
    for login in (
        "0664 1234567",
        "+436641234567",
        "0043 664 1234567",
        "+43(664)1234567",
        "06641234567",
    ):
        assert failed(app.post(LOGIN, {"login": login, "password": "wrong"}))

    assert app.post(LOGIN, {"login": "0664/1234567", "password": PASSWORD}).status_code == 423


def test_many_names_of_one_member_are_counted_together(app, ann):
    for login in ("ann@example.org", "+436641234567"):
        for _ in range(5):
            assert failed(app.post(LOGIN, {"login": login, "password": "wrong"}))

    assert app.post(LOGIN, {"login": ann.number, "password": PASSWORD}).status_code == 423


def test_an_address_that_tries_many_names_is_locked_out(house, ann):
    for number in range(100):
        body = {"login": f"n{number}@example.org", "password": "wrong", "address": "192.0.2.7"}
        assert failed(house.post(LOGIN, body))
    right = {"login": "ann@example.org", "password": PASSWORD}

    assert house.post(LOGIN, {**right, "address": "192.0.2.7"}).status_code == 423
    assert house.post(LOGIN, {**right, "address": "192.0.2.8"}).status_code == 200


def test_success_forgets_the_failures_of_the_name(app, ann):
    for _ in range(4):
        app.post(LOGIN, {"login": "ann@example.org", "password": "wrong"})
    assert app.post(LOGIN, {"login": "ann@example.org", "password": PASSWORD}).status_code == 200

    rows = Attempt.objects.values_list("kind", "failures")

    assert list(rows) == [("SIGN_IN_ADDRESS", 4)]


@override_settings(
    PASSWORD_HASHERS=[
        "django.contrib.auth.hashers.MD5PasswordHasher",
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ]
)
def test_a_hash_of_old_make_is_replaced(app, ann):
    Credential.objects.update(password=hash_of_old_make())

    assert app.post(LOGIN, {"login": "ann@example.org", "password": PASSWORD}).status_code == 200

    assert Credential.objects.get().password.startswith("md5$")
    assert app.post(LOGIN, {"login": "ann@example.org", "password": PASSWORD}).status_code == 200


def test_a_password_is_the_same_however_its_accents_are_composed(app, program):
    with_password(MemberFactory(email="bo@example.org"), "gr\u00fcn und tr\u00fcb")

    body = {"login": "bo@example.org", "password": "gru\u0308n und tru\u0308b"}

    assert app.post(LOGIN, body).status_code == 200


def test_who_must_change_the_password_is_told(app, ann):
    Credential.objects.update(must_change_password=True)

    answer = app.post(LOGIN, {"login": "ann@example.org", "password": PASSWORD}).json()
    again = app.post(REFRESH, {"refresh": answer["refresh"]}).json()

    assert answer["must_change_password"] is True
    assert again["must_change_password"] is True


@pytest.fixture
def signed_in(app, ann):
    return app.post(LOGIN, {"login": "ann@example.org", "password": PASSWORD}).json()


def test_a_refresh_gives_new_tokens_and_ends_the_old(app, ann, signed_in):
    fresh = app.post(REFRESH, {"refresh": signed_in["refresh"]})

    assert fresh.status_code == 200
    assert fresh.json()["member"] == ann.number
    assert fresh.json()["token"] != signed_in["token"]
    token_cache.clear()
    app.headers = {"Authorization": f"Bearer {signed_in['token']}"}
    assert app.get("/members/me/points/").status_code == 401
    app.headers = {"Authorization": f"Bearer {fresh.json()['token']}"}
    assert app.get("/members/me/points/").status_code == 200


def test_a_refresh_token_that_comes_twice_ends_its_session(app, ann, signed_in):
    fresh = app.post(REFRESH, {"refresh": signed_in["refresh"]}).json()
    later = app.post(REFRESH, {"refresh": fresh["refresh"]}).json()

    stolen = app.post(REFRESH, {"refresh": signed_in["refresh"]})

    assert (stolen.status_code, stolen.json()["code"]) == (401, "REFRESH_INVALID")
    assert app.post(REFRESH, {"refresh": later["refresh"]}).status_code == 401
    assert Session.objects.get().ended_at is not None
    assert Activity.objects.get().kind == "SESSION_REVOKED"


@pytest.mark.parametrize("change", ["x", "", "mst_x", "mrt_", "mrt_a.b.c", "é"])
def test_a_made_up_refresh_token_is_nobodys_and_ends_nothing(change, app, signed_in):
    session = Session.objects.get()
    for token in (change or "mrt_x", f"mrt_{session.pk.hex}.{change}.{change}"):
        assert app.post(REFRESH, {"refresh": token}).json()["code"] == "REFRESH_INVALID"

    assert Session.objects.get().ended_at is None


def test_a_session_that_is_too_old_or_whose_member_left_is_not_refreshed(app, ann, signed_in, now):
    Member.objects.filter(pk=ann.pk).update(stage="DISABLED")
    assert app.post(REFRESH, {"refresh": signed_in["refresh"]}).status_code == 401
    Member.objects.filter(pk=ann.pk).update(stage="ACTIVE")
    Session.objects.update(refresh_expires_at=now - timedelta(seconds=1))

    assert app.post(REFRESH, {"refresh": signed_in["refresh"]}).status_code == 401


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"login": "", "password": "x"}, "/login"),
        ({"login": "a", "password": ""}, "/password"),
        ({"login": "a" * 255, "password": "x"}, "/login"),
        ({"login": "a", "password": "x" * 201}, "/password"),
        ({"login": "a\0", "password": "x"}, "/login"),
        ({"login": "a", "password": 1}, "/password"),
        ({"login": "a", "password": "x", "device": "a\n"}, "/device"),
        ({"password": "x"}, "/login"),
    ],
)
def test_a_sign_in_that_is_none_is_told_so(body, pointer, app, ann):
    answer = app.post(LOGIN, body)

    assert answer.status_code == 400
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert not Attempt.objects.exists()


def test_no_token_is_kept(app, signed_in):
    row = str(Session.objects.values().get())

    assert signed_in["token"] not in row
    assert signed_in["refresh"] not in row
    assert sessions.hash_of(signed_in["token"]) == bytes(Session.objects.get().token_hash)
