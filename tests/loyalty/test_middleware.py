"""Every request has an id, and no address redirects."""

import uuid

import pytest
import structlog
from django.http import HttpResponse
from django.test import Client, RequestFactory

from loyalty.api.middleware import RequestMiddleware


def answered(**headers):
    """Send a request through the middleware; return its answer and the id seen in the logs."""
    seen = []

    def view(request):
        seen.append((request.request_id, structlog.contextvars.get_contextvars()["request_id"]))
        return HttpResponse("é")

    response = RequestMiddleware(view)(RequestFactory().get("/", headers=headers))
    [(request_id, logged)] = seen
    assert request_id == logged == response.headers["X-Request-Id"]
    return response, request_id


@pytest.mark.parametrize("given", ["till-4.0815", "A_b.c-9", "x" * 64])
def test_a_plain_id_of_the_caller_is_kept(given):
    assert answered(**{"X-Request-Id": given})[1] == given


@pytest.mark.parametrize(
    "given", ["", "a b", "x" * 65, "a\nSet-Cookie: x", "a\n", "é", "<script>", "a/b", "{}"]
)
def test_any_other_is_replaced(given):
    assert uuid.UUID(answered(**{"X-Request-Id": given})[1]).version == 7


def test_two_requests_have_two_ids():
    assert answered()[1] != answered()[1]


def test_an_answer_says_how_long_it_is():
    assert answered()[0].headers["Content-Length"] == "2"


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
@pytest.mark.parametrize("path", ["/api/v1/transactions/earn", "/api/v1", "/api", "/api/docs"])
def test_an_address_without_its_slash_is_not_found(path, method):
    response = getattr(Client(), method)(path)

    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["request_id"] == response.headers["X-Request-Id"]
    assert response.json()["instance"] == path
