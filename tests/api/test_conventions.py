"""What holds for every operation: tokens, scopes, problems, sizes, limits, ids."""

import base64
import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from loyalty.errors import LoyaltyError
from loyalty.scopes import Scope
from partners.services.clients import create_client, rotate_secret
from tests.api.catalogue import BEYOND, CATALOGUE

EARN = "/transactions/earn/"
BUILT = [
    (row.name, method, path, row.scope_of(method, path))
    for row in CATALOGUE + BEYOND
    if row.built and row.scope
    for method, path in row.routes
]


def test_there_are_57_operations_with_names_of_their_own():
    assert len(CATALOGUE) == 57
    assert len({row.name for row in CATALOGUE}) == 57


@pytest.mark.parametrize(("_name", "method", "path", "scope"), BUILT)
def test_an_operation_needs_a_token_with_its_scope(_name, method, path, scope, api_of, program):
    url = f"/api/v1{path}"
    anonymous = Client().generic(method, url, "{}", content_type="application/json")
    wrong = Scope.MASTERS_READ if scope == Scope.WEBHOOKS_WRITE else Scope.WEBHOOKS_WRITE
    api = api_of(None, scopes=[wrong])
    refused = api.client.generic(
        method, url, "{}", content_type="application/json", headers=api.headers
    )

    assert (anonymous.status_code, anonymous.json()["code"]) == (401, "UNAUTHENTICATED")
    assert "Bearer" in anonymous.headers["WWW-Authenticate"]
    assert (refused.status_code, refused.json()["code"]) == (403, "SCOPE_MISSING")
    assert refused.json()["scope"] == scope


def test_the_schema_names_every_built_operation(client, program):
    schema = client.get("/api/schema/?format=json").json()
    summaries = {
        operation["summary"] for path in schema["paths"].values() for operation in path.values()
    }

    assert schema["openapi"].startswith("3.1")
    assert {row.name for row in CATALOGUE + BEYOND if row.built and row.scope} <= summaries


def token_of(client, credentials, **data):
    basic = base64.b64encode(f"{credentials.client_id}:{credentials.client_secret}".encode())
    return client.post(
        "/oauth/token/",
        {"grant_type": "client_credentials", **data},
        headers={"Authorization": f"Basic {basic.decode()}"},
    )


def test_a_client_gets_a_token_for_the_scopes_it_was_given(client, partner, member):
    made = create_client("till", partner=partner, scopes=[Scope.POINTS_READ])

    granted = token_of(client, made)
    too_much = token_of(client, made, scope="points:earn")

    assert granted.status_code == 200
    assert granted.json()["expires_in"] == 1800
    token = granted.json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    url = f"/api/v1/members/{member.number}/points/"
    assert client.get(url, headers=headers).status_code == 200
    assert too_much.json()["error"] == "invalid_scope"
    basic = base64.b64encode(f"{made.client_id}:{made.client_secret}".encode()).decode()
    revoked = client.post(
        "/oauth/revoke_token/", {"token": token}, headers={"Authorization": f"Basic {basic}"}
    )
    assert revoked.status_code == 200
    assert client.get(url, headers=headers).status_code == 401


def test_a_wrong_secret_gets_nothing(client, partner):
    made = create_client("till", partner=partner)

    response = client.post(
        "/oauth/token/",
        {"grant_type": "client_credentials", "client_id": made.client_id, "client_secret": "no"},
    )

    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


def test_two_secrets_are_good_while_one_is_rotated(client, partner):
    old = create_client("till", partner=partner)
    new = rotate_secret(old.client, at=timezone.now(), both_for=timedelta(hours=1))

    assert [token_of(client, each).status_code for each in (old, new)] == [200, 200]
    type(old.client).objects.update(second_secret_until=timezone.now())
    assert [token_of(client, each).status_code for each in (old, new)] == [401, 200]


def test_a_client_of_an_inactive_partner_is_nobody(client, partner):
    made = create_client("till", partner=partner)
    type(partner).objects.filter(pk=partner.pk).update(status="INACTIVE")

    assert token_of(client, made).status_code == 401


def test_tokens_are_stored_as_a_checksum_only(client, partner):
    from oauth2_provider.models import get_access_token_model

    token_of(client, create_client("till", partner=partner))

    assert get_access_token_model().objects.get().token == ""


def test_a_house_scope_is_refused_to_a_partners_client(partner):
    with pytest.raises(LoyaltyError, match="house clients only"):
        create_client("till", partner=partner, scopes=[Scope.POINTS_ADJUST])


@pytest.mark.parametrize(
    ("_case", "body", "content_type", "status", "code"),
    [
        ("not JSON", "{", "application/json", 400, "VALIDATION_FAILED"),
        ("a list", "[]", "application/json", 400, "VALIDATION_FAILED"),
        ("NaN", '{"reference": NaN}', "application/json", 400, "VALIDATION_FAILED"),
        ("deep", "[" * 100_000, "application/json", 400, "VALIDATION_FAILED"),
        ("not UTF-8", b'{"reference": "\xff"}', "application/json", 400, "VALIDATION_FAILED"),
        ("huge", " " * 300_000, "application/json", 413, "PAYLOAD_TOO_LARGE"),
        ("a form", "a=b", "application/x-www-form-urlencoded", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("a huge number", '{"member": {"number": 1e400}}', "application/json", 400, "VALIDATION_FAILED"),
    ],
)  # fmt: skip
def test_rubbish_is_refused_as_a_problem(_case, body, content_type, status, code, till):
    response = till.post(EARN, body, content_type=content_type)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["request_id"] == response.headers["X-Request-Id"]


def test_a_wrong_address_or_method_is_a_problem_and_never_a_redirect(till):
    unknown = till.get("/nothing/")
    without_slash = till.post("/transactions/earn", {})
    method = till.get(EARN)

    assert [r.status_code for r in (unknown, without_slash, method)] == [404, 404, 405]
    assert method.json()["code"] == "METHOD_NOT_ALLOWED"


def test_the_callers_request_id_is_kept_where_it_is_a_plain_one(till, purchase, member):
    from ledger.models import Transaction

    response = till.post(EARN, purchase(), **{"X-Request-Id": "till-4.0815"})
    odd = till.post(EARN, purchase(), **{"X-Request-Id": "a b"})

    assert response.headers["X-Request-Id"] == "till-4.0815"
    assert Transaction.objects.order_by("version").first().request_id == "till-4.0815"
    assert odd.headers["X-Request-Id"] != "a b"


def test_a_client_that_sends_too_much_is_told_when_to_come_back(api_of, partner, member):
    from partners.models import ApiClient

    api = api_of(partner)
    ApiClient.objects.update(rate_limit_per_minute=2)
    url = f"/members/{member.number}/points/"

    answers = [api.get(url) for _ in range(3)]

    assert [r.status_code for r in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit-Remaining"] == "1"
    assert int(answers[2].headers["Retry-After"]) <= 60
    assert answers[2].json()["code"] == "RATE_LIMITED"


def test_health_tells_what_is_wrong(client, db, monkeypatch):
    from django.conf import settings

    healthy = client.get("/health/")
    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")
    ill = client.get("/health/")

    assert (healthy.status_code, ill.status_code) == (200, 503)
    assert ill.json()["parts"]["broker"]["ok"] is False
    assert json.loads(client.get("/health/live/").content) == {"status": "ok"}


def test_every_code_has_its_paragraph(client):
    page = client.get("/api/docs/errors/").content.decode()

    def codes(kind):
        for each in kind.__subclasses__():
            yield each.code
            yield from codes(each)

    undocumented = {code for code in codes(LoyaltyError) if f'id="{code}"' not in page}
    assert not undocumented
