"""Clients, members' sessions and public clients each reach what is theirs, and nothing else."""

import json
from datetime import timedelta

import pytest
from django.urls import resolve

from loyalty import token_cache
from members.models import Member, Session
from tests.api.catalogue import BEYOND, CATALOGUE, NUMBER
from tests.factories.ledger import give
from tests.factories.members import MemberFactory

ROUTES = [
    pytest.param(method, path, id=f"{row.name}: {method} {path}")
    for row in CATALOGUE + BEYOND
    if row.built
    for method, path in row.routes
    if not path.startswith("/oauth")
]
OF_MEMBERS = [each for each in ROUTES if NUMBER in each.values[1]]


def action_of(method, path):
    match = resolve(f"/api/v1{path}")
    return match.func.cls, match.func.actions[method.lower()]


def send(api, method, path):
    return api.client.generic(
        method, f"/api/v1{path}", "{}", content_type="application/json", headers=api.headers
    )


def test_a_session_reaches_its_own_member_as_me(session_of, member):
    give(member, 300)

    answer = session_of(member).get("/members/me/points/")

    assert answer.status_code == 200
    assert answer.json()["member"] == member.number
    assert answer.json()["types"][0]["available"] == 300


@pytest.mark.parametrize(("method", "path"), OF_MEMBERS)
def test_another_member_is_not_there_for_a_session(method, path, session_of, member):
    other = MemberFactory()
    for number in (other.number, member.number, "9" * 10):
        answer = send(session_of(member), method, path.replace(NUMBER, number))

        assert answer.status_code == 404
        assert answer.json()["code"] == "MEMBER_NOT_FOUND"


@pytest.mark.parametrize(("method", "path"), OF_MEMBERS)
def test_a_client_has_no_me(method, path, house):
    answer = send(house, method, path.replace(NUMBER, "me"))

    assert answer.status_code == 404
    assert answer.json()["code"] == "MEMBER_NOT_FOUND"


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_session_does_what_is_for_members_only(method, path, session_of, member):
    view, action = action_of(method, path)
    if action in view.member_actions:
        return
    answer = send(session_of(member), method, path.replace(NUMBER, "me"))

    assert answer.status_code == 403
    assert answer.json()["code"] in ("SCOPE_MISSING", "SESSION_NEEDED")


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_public_client_does_what_is_public_only(method, path, app):
    view, action = action_of(method, path)
    if action in view.public_actions:
        return
    answer = send(app, method, path)

    assert answer.status_code == 403


@pytest.mark.parametrize("token", ["mst_", "mst_unknown", "mst_" + "x" * 500])
def test_an_unknown_session_is_nobody(token, house):
    house.headers["Authorization"] = f"Bearer {token}"

    assert house.get("/members/me/points/").status_code == 401


@pytest.mark.parametrize("client_id", ["", "nobody", "x" * 300, "a\tb"])
def test_an_unknown_public_client_is_nobody(client_id, app):
    app.headers["X-Client-Id"] = client_id

    assert app.get("/members/me/points/").status_code == 401


def test_a_client_with_a_secret_is_not_public(app, api_of):
    confidential = api_of(None)
    from partners.models import ApiClient

    client = ApiClient.objects.get(public=False)
    app.headers["X-Client-Id"] = client.application.client_id

    assert app.get("/members/me/points/").status_code == 401
    assert confidential.get("/program/").status_code != 401


def test_a_session_ends(session_of, member, now):
    api = session_of(member)
    assert api.get("/members/me/points/").status_code == 200

    Session.objects.update(expires_at=now - timedelta(seconds=1))
    token_cache.clear()

    assert api.get("/members/me/points/").status_code == 401


@pytest.mark.parametrize("stage", ["DISABLED", "CLOSED"])
def test_a_stage_that_may_not_sign_in_has_no_session(stage, session_of, member):
    api = session_of(member)
    Member.objects.filter(pk=member.pk).update(stage=stage)

    assert api.get("/members/me/points/").status_code == 401


def test_a_session_sees_all_of_its_own_history(session_of, member, till, purchase):
    from tests.factories.promotions import promotion

    promotion()
    till.post("/transactions/earn/", purchase(reference="R-1"))

    row = session_of(member).get("/members/me/transactions/").json()["results"][0]

    assert row["reference"] == "R-1"
    assert row["outlet"] == "S1"
    assert json.dumps(row["awards"])
