"""No input is a fault of ours: whatever is sent to any operation, the answer is a problem."""

import json
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.models import Transaction
from tests.api.catalogue import BEYOND, CATALOGUE

EARN = "/api/v1/transactions/earn/"
BUILT = [
    pytest.param(method, f"/api/v1{path}", id=f"{row.name}: {method} {path}")
    for row in CATALOGUE + BEYOND
    if row.built and row.scope
    for method, path in row.routes
]
BODILESS = {  # The address says it all.
    ("DELETE", "/api/v1/masters/product/123/"),
    ("DELETE", "/api/v1/webhooks/SHOP/"),
}
WRITES = [each for each in BUILT if each.values[0] != "GET" and tuple(each.values) not in BODILESS]
READS = [each for each in BUILT if each.values[0] == "GET"]
NAMES = [
    "member",
    "number",
    "card",
    "reference",
    "points",
    "type",
    "amount",
    "lines",
    "occurred_at",
]
NAMES += ["original", "id", "lock", "items", "body", "operation", "attributes", "value", "currency"]
LEAVES = st.none() | st.booleans() | st.integers() | st.sampled_from(
    ["", "PTS", "1", "-1", "1e9", "NaN", "\0", "٥", "EARN", "2026-01-01T00:00:00Z", "earn", "0" * 300]
)  # fmt: skip
RUBBISH = st.dictionaries(
    st.sampled_from(NAMES),
    st.recursive(
        LEAVES,
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
        ),
        max_leaves=6,
    ),
    max_size=5,
)


def send(api, method, url, body=b"", *, content_type="application/json", **headers):
    return api.client.generic(
        method, url, body, content_type=content_type, headers={**api.headers, **headers}
    )


def is_problem(response):
    assert response.headers["Content-Type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == response.status_code
    assert document["type"] == f"/api/docs/errors/#{document['code']}"
    assert document["request_id"] == response.headers["X-Request-Id"]
    return document


NO_BODIES = {
    b"": "MISSING_BODY",
    b"[]": "WRONG_TYPE",
    b"null": "WRONG_TYPE",
    b'"text"': "WRONG_TYPE",
    b"{": "NOT_JSON",
    b'{"\xff": 1}': "NOT_JSON",
    b'{"nothing_of_ours": 1}': "UNKNOWN_FIELD",
    b"[" * 50_000: "WRONG_TYPE",
}


@pytest.mark.parametrize(("method", "url"), WRITES)
def test_a_body_that_is_none_is_told_so(method, url, house):
    told = {}
    for body in NO_BODIES:
        document = is_problem(send(house, method, url, body))
        assert document["code"] == "VALIDATION_FAILED", body[:30]
        told[body] = document["errors"][0]["code"]

    assert told == NO_BODIES


@pytest.mark.parametrize(("method", "url"), WRITES)
def test_a_body_must_be_json_of_a_bearable_size(method, url, house):
    form = send(house, method, url, b"a=b", content_type="application/x-www-form-urlencoded")
    large = send(house, method, url, b" " * 300_000)

    assert is_problem(form)["code"] == "UNSUPPORTED_MEDIA_TYPE"
    assert is_problem(large)["code"] == "PAYLOAD_TOO_LARGE"


@pytest.mark.parametrize(("method", "url"), WRITES)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=RUBBISH)
def test_no_body_is_a_fault_of_ours(method, url, house, member, body):
    response = send(house, method, url, json.dumps(body).encode())

    assert response.status_code < 500, body
    if response.status_code >= 400:
        is_problem(response)


@pytest.mark.parametrize(("method", "url"), READS)
def test_no_query_is_a_fault_of_ours(method, url, house):
    for query in ("nothing_of_ours=1", "limit=%00", "%ff=%fe", "cursor=x&cursor=y"):
        response = send(house, method, f"{url}?{query}")
        assert response.status_code in {200, 400, 404}, query
        if response.status_code != 200:
            is_problem(response)


@pytest.mark.parametrize(("method", "url"), BUILT)
def test_a_method_that_is_not_there_names_those_that_are(method, url, house):
    for other in ("OPTIONS", "TRACE", "PATCH", "DELETE", "PUT", "CONNECT"):
        response = send(house, other, url)
        if other in response.headers.get("Allow", other).split(", "):
            continue
        assert is_problem(response)["code"] == "METHOD_NOT_ALLOWED"
        assert method in response.headers["Allow"]
        assert "OPTIONS" not in response.headers["Allow"]


@pytest.mark.parametrize(
    "accept", ["text/html", "application/xml", "image/*", "nothing", "", "application/json; q=0"]
)
def test_the_answer_is_json_whatever_was_asked_for(accept, till, member):
    url = f"/api/v1/members/{member.number}/points/"
    response = send(till, "GET", url, Accept=accept)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"


def test_a_form_in_the_query_is_an_unknown_parameter(till, member):
    url = f"/api/v1/members/{member.number}/points/?format=xml"

    assert is_problem(send(till, "GET", url))["errors"][0]["pointer"] == "/format"


@pytest.mark.parametrize("number", ["0", "1" * 21, "-1", "1%00", "%D9%A1", "me2", "1;2", "%2e%2e"])
def test_no_number_in_an_address_is_a_fault_of_ours(number, house):
    assert is_problem(send(house, "GET", f"/api/v1/members/{number}/points/"))["status"] == 404


@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [
        (None, 'Bearer realm="laurel"'),
        ("Bearer", 'Bearer realm="laurel", error="invalid_token"'),
        ("Bearer nothing", 'Bearer realm="laurel", error="invalid_token"'),
        ("Bearer a b", 'Bearer realm="laurel", error="invalid_token"'),
        ("Bearer é", 'Bearer realm="laurel", error="invalid_token"'),
        ("Bearer " + "x" * 5000, 'Bearer realm="laurel", error="invalid_token"'),
        ("Basic dXNlcjpwYXNz", 'Bearer realm="laurel", error="invalid_token"'),
    ],
)
def test_a_token_that_is_none_gets_a_challenge(authorization, challenge, till):
    headers = {"Authorization": authorization} if authorization else {}
    response = till.client.post(EARN, "{}", content_type="application/json", headers=headers)

    assert is_problem(response)["code"] == "UNAUTHENTICATED"
    assert response.headers["WWW-Authenticate"] == challenge


def test_a_scope_that_lacks_is_named_in_the_challenge(api_of, partner):
    response = send(api_of(partner, ["points:read"]), "POST", EARN, b"{}")

    assert is_problem(response)["scope"] == "points:earn"
    assert response.headers["WWW-Authenticate"] == (
        'Bearer realm="laurel", error="insufficient_scope", scope="points:earn"'
    )


@pytest.mark.parametrize(
    "attributes",
    [{"amount": "n/a"}, {"quantity": "1e999999999"}, {"discount": "NaN"}, {"percent": "٥"}],
)
def test_attributes_may_be_named_like_money(attributes, till, member, purchase):
    body = purchase(attributes=attributes)
    first, again = till.post("/transactions/earn/", body), till.post("/transactions/earn/", body)

    assert [first.status_code, again.status_code] == [201, 200]
    assert again.json() == first.json()


def test_a_retry_that_writes_its_numbers_otherwise_is_a_retry(till, member, purchase, now):
    body = purchase(discount="1.00", occurred_at=now.isoformat())
    elsewhere = now.astimezone(ZoneInfo("Asia/Tokyo"))
    again = {**body, "discount": "1.0", "occurred_at": elsewhere.isoformat()}

    assert till.post("/transactions/earn/", body).status_code == 201
    assert till.post("/transactions/earn/", again).status_code == 200
    assert Transaction.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"reference": "abc\n"}, "/reference"),
        ({"outlet": "S1\n"}, "/outlet"),
        ({"currency": "EUR\n"}, "/currency"),
        ({"discount": "٠"}, "/discount"),
        ({"occurred_at": "0001-01-01T00:00:00+23:59"}, "/occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59-23:59"}, "/occurred_at"),
        ({"attributes": {"a": 5}}, "/attributes"),
    ],
)
def test_a_refusal_names_the_field_and_writes_nothing(changes, pointer, till, member, purchase):
    document = is_problem(till.post("/transactions/earn/", purchase(**changes)))

    assert [each["pointer"] for each in document["errors"]] == [pointer]
    assert not Transaction.objects.exists()
