"""Logout ends a session, or all; again, it still succeeds."""

import pytest

from loyalty import token_cache
from members.models import Session

URL = "/sessions/current/"


@pytest.fixture
def two(session_of, member):
    return session_of(member), session_of(member)


def test_a_session_ends_and_the_others_stay(two, member):
    here, there = two

    answer = here.delete(URL)

    assert (answer.status_code, answer.json()) == (200, {"ended": 1})
    assert here.get("/members/me/points/").status_code == 401
    assert there.get("/members/me/points/").status_code == 200


def test_all_end_on_every_device(two, member):
    here, there = two

    assert here.delete(f"{URL}?all=true").json() == {"ended": 2}
    assert there.get("/members/me/points/").status_code == 401


def test_again_still_succeeds(two):
    here, _ = two
    here.delete(URL)

    for _ in range(2):
        assert (here.delete(URL).status_code, here.delete(URL).json()) == (200, {"ended": 0})
        token_cache.clear()


def test_an_ended_session_ends_nothing_else(two):
    here, _ = two
    here.delete(URL)
    token_cache.clear()

    assert here.delete(f"{URL}?all=true").json() == {"ended": 0}
    assert Session.objects.filter(ended_at=None).count() == 1


@pytest.mark.parametrize("token", ["mst_", "mst_unknown", "mst_" + "x" * 500])
def test_an_unknown_session_has_nothing_to_end(token, app):
    app.headers = {"Authorization": f"Bearer {token}"}

    assert (app.delete(URL).status_code, app.delete(URL).json()) == (200, {"ended": 0})


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}, {"Authorization": "mst_"}])
def test_without_a_session_nobody_is_signed_out(headers, app):
    app.headers = headers

    assert app.delete(URL).status_code == 401


def test_a_client_has_no_session(house):
    assert house.delete(URL).json()["code"] == "SESSION_NEEDED"
