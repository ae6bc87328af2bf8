"""The token end: who gets a token, for what, for how long, and how it is taken away."""

import base64
import hashlib
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import get_access_token_model, get_application_model

from loyalty import token_cache
from loyalty.scopes import FOR_PARTNERS, HOUSE_ONLY, Scope
from partners.models import ApiClient, Partner
from partners.queries import caller_of_token
from partners.services.clients import create_client, rotate_secret


def ask(client_id, secret, *, basic=True, **body):
    body = {"grant_type": "client_credentials", **body}
    headers = {}
    if basic:
        pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    else:
        body |= {"client_id": client_id, "client_secret": secret}
    return Client().post("/oauth/token/", body, headers=headers)


def post(path, token, made):
    body = {"token": token, "client_id": made.client_id, "client_secret": made.client_secret}
    return Client().post(path, body)


@pytest.fixture
def made(partner):
    return create_client("till", partner=partner, scopes=["points:read", "points:earn"])


@pytest.mark.parametrize("basic", [True, False])
def test_a_client_gets_a_token_for_half_an_hour(basic, made):
    answer = ask(made.client_id, made.client_secret, basic=basic)

    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"access_token", "expires_in", "token_type", "scope"}
    assert (body["expires_in"], body["token_type"]) == (1800, "Bearer")
    assert set(body["scope"].split()) == {"points:read", "points:earn"}
    assert answer["Cache-Control"] == "no-store"


def test_a_client_may_ask_for_less(made):
    answer = ask(made.client_id, made.client_secret, scope="points:read")

    assert answer.json()["scope"] == "points:read"


@pytest.mark.parametrize("scope", ["points:redeem", "points:adjust", "no:such"])
def test_a_client_gets_no_scope_that_it_was_not_given(scope, made):
    answer = ask(made.client_id, made.client_secret, scope=f"points:read {scope}")

    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_scope"
    assert not get_access_token_model().objects.exists()


def test_house_scopes_are_refused_to_a_partners_client_whatever_its_row_says(made):
    ApiClient.objects.update(scopes=["points:read", "points:adjust"])

    refused = ask(made.client_id, made.client_secret, scope="points:adjust")
    default = ask(made.client_id, made.client_secret)

    assert refused.json()["error"] == "invalid_scope"
    assert default.json()["scope"] == "points:read"


def test_a_house_client_may_do_everything_by_default(program):
    made = create_client("office", partner=None)

    scopes = ask(made.client_id, made.client_secret).json()["scope"].split()

    assert set(scopes) == set(Scope)


def test_neither_token_nor_secret_is_stored(made):
    token = ask(made.client_id, made.client_secret).json()["access_token"]

    row = get_access_token_model().objects.get()
    assert row.token == ""
    assert row.token_checksum == hashlib.sha256(token.encode()).hexdigest()
    stored = get_application_model().objects.get().client_secret
    assert made.client_secret not in stored


@pytest.mark.parametrize(
    ("_case", "client_id", "secret"),
    [("wrong secret", None, "wrong"), ("no secret", None, ""), ("unknown", "nobody", None)],
)
@pytest.mark.parametrize("basic", [True, False])
def test_the_answer_to_wrong_and_unknown_is_the_same(_case, client_id, secret, basic, made):
    answer = ask(
        client_id or made.client_id,
        made.client_secret if secret is None else secret,
        basic=basic,
    )

    assert answer.status_code == 401
    assert answer.json() == {"error": "invalid_client"}


@pytest.mark.parametrize(
    ("_case", "spoil"),
    [
        ("inactive partner", lambda: Partner.objects.update(status="INACTIVE")),
        ("public", lambda: ApiClient.objects.update(public=True)),
        ("no API client", lambda: ApiClient.objects.all().delete()),
        (
            "of another grant",
            lambda: get_application_model().objects.update(authorization_grant_type="password"),
        ),
    ],
)
def test_a_client_that_may_not_ask_gets_no_token_and_its_token_is_worth_nothing(_case, spoil, made):
    token = ask(made.client_id, made.client_secret).json()["access_token"]
    spoil()

    answer = ask(made.client_id, made.client_secret)

    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})
    if _case != "of another grant":
        assert caller_of_token(token) is None


@pytest.mark.parametrize(
    "grant", ["password", "authorization_code", "refresh_token", "implicit", "nonsense"]
)
def test_there_is_only_the_client_credentials_grant(grant, made):
    answer = ask(
        made.client_id,
        made.client_secret,
        grant_type=grant,
        username="ann",
        password="x",
        code="x",
        refresh_token="x",
        redirect_uri="https://example.org/",
    )

    assert answer.status_code in (400, 401)
    assert "access_token" not in answer.json()


class TestTwoSecrets:
    def test_both_work_while_one_is_rotated(self, made):
        new = rotate_secret(made.client, at=timezone.now(), both_for=timedelta(days=1))

        for secret in (made.client_secret, new.client_secret):
            assert ask(made.client_id, secret).status_code == 200
            assert ask(made.client_id, secret, basic=False).status_code == 200

    def test_the_old_one_ends(self, made):
        a_day_ago = timezone.now() - timedelta(days=1)
        new = rotate_secret(made.client, at=a_day_ago, both_for=timedelta(days=1))

        assert ask(made.client_id, made.client_secret).status_code == 401
        assert ask(made.client_id, new.client_secret).status_code == 200

    def test_there_are_never_three(self, made):
        second = rotate_secret(made.client, at=timezone.now(), both_for=timedelta(days=1))
        third = rotate_secret(made.client, at=timezone.now(), both_for=timedelta(days=1))

        statuses = [
            ask(made.client_id, each.client_secret).status_code for each in (made, second, third)
        ]
        assert statuses == [401, 200, 200]

    def test_an_empty_second_secret_opens_nothing(self, made):
        ApiClient.objects.update(
            second_secret="", second_secret_until=timezone.now() + timedelta(1)
        )

        assert ask(made.client_id, "").status_code == 401

    def test_tokens_outlive_a_rotation(self, made):
        token = ask(made.client_id, made.client_secret).json()["access_token"]

        rotate_secret(made.client, at=timezone.now(), both_for=timedelta(0))

        assert caller_of_token(token) is not None


class TestRevocation:
    def test_a_revoked_token_is_worth_nothing_at_once(self, made, member):
        token = ask(made.client_id, made.client_secret).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        url = f"/api/v1/members/{member.number}/points/"
        before = Client().get(url, headers=headers).status_code

        revoked = post("/oauth/revoke_token/", token, made)

        assert (before, revoked.status_code) == (200, 200)
        assert token_cache.get(token) is None
        assert Client().get(url, headers=headers).status_code == 401

    def test_nobody_revokes_the_token_of_another(self, made, partner):
        other = create_client("other", partner=partner)
        token = ask(made.client_id, made.client_secret).json()["access_token"]

        answer = post("/oauth/revoke_token/", token, other)

        assert answer.status_code == 200  # RFC 7009: the answer says nothing about the token.
        assert caller_of_token(token) is not None

    def test_revoking_what_is_unknown_succeeds(self, made):
        assert post("/oauth/revoke_token/", "nothing", made).status_code == 200

    def test_a_wrong_secret_revokes_nothing(self, made):
        token = ask(made.client_id, made.client_secret).json()["access_token"]
        body = {"token": token, "client_id": made.client_id, "client_secret": "wrong"}

        answer = Client().post("/oauth/revoke_token/", body)

        assert answer.status_code == 401
        assert caller_of_token(token) is not None


class TestIntrospection:
    def test_a_client_learns_what_its_token_may(self, made):
        token = ask(made.client_id, made.client_secret, scope="points:read").json()["access_token"]

        body = post("/oauth/introspect/", token, made).json()

        assert body.pop("exp") > timezone.now().timestamp()
        assert body == {"active": True, "scope": "points:read", "client_id": made.client_id}

    def test_a_revoked_token_is_inactive(self, made):
        token = ask(made.client_id, made.client_secret).json()["access_token"]
        post("/oauth/revoke_token/", token, made)

        assert post("/oauth/introspect/", token, made).json() == {"active": False}

    def test_nobody_asks_without_credentials(self, made):
        token = ask(made.client_id, made.client_secret).json()["access_token"]

        assert Client().post("/oauth/introspect/", {"token": token}).status_code in (401, 403)


def test_the_scopes_of_partners_and_of_the_house_only_are_those_of_the_contract():
    assert len(FOR_PARTNERS) == 20
    assert {str(scope) for scope in HOUSE_ONLY} == {
        "points:adjust",
        "points:freeze",
        "cards:write",
        "pins:write",
        "sessions:write",
        "tiers:write",
        "stages:write",
        "vouchers:write",
        "segments:write",
        "promotions:write",
        "partners:write",
        "masters:write",
        "sweepstakes:write",
    }
