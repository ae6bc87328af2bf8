"""What signing in costs, in statements; and that unknown names cost no less."""

import pytest

from tests.factories.credentials import PASSWORD, with_password


@pytest.fixture
def ann(member):
    member.email = "ann@example.org"
    member.save()
    return with_password(member)


def sent(statements, call, *arguments):
    """Return how many statements a call sends when caches are warm."""
    call(*arguments)
    statements.sent.clear()
    call(*arguments)
    return len(statements.sent)


def test_a_failed_sign_in_costs_the_same_for_known_and_unknown_names(app, ann, statements):
    costs = [
        sent(statements, app.post, "/sessions/", {"login": login, "password": "wrong"})
        for login in ("ann@example.org", "nobody@example.org", "+43664123", ann.number, "x")
    ]

    assert costs == [5] * 5


def test_signing_in_refreshing_and_out(app, ann, session_of, statements):
    body = {"login": "ann@example.org", "password": PASSWORD}
    assert sent(statements, app.post, "/sessions/", body) == 11

    refresh = app.post("/sessions/", body).json()["refresh"]
    statements.sent.clear()
    assert app.post("/sessions/refresh/", {"refresh": refresh}).status_code == 200
    assert len(statements.sent) == 3

    api = session_of(ann)
    api.get("/members/me/points/")
    statements.sent.clear()
    assert api.delete("/sessions/current/").json() == {"ended": 1}
    assert len(statements.sent) == 1


def test_changing_a_password(session_of, ann, statements):
    api = session_of(ann)
    api.get("/members/me/points/")
    statements.sent.clear()

    answer = api.post("/sessions/current/password/", {"old": PASSWORD, "new": "another sentence"})

    assert answer.status_code == 200
    assert len(statements.sent) == 8
