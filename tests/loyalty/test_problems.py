"""Every refusal and fault becomes a problem document (RFC 9457) that tells no secrets."""

import json
import re
from importlib import import_module

import psycopg
import pytest
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from django.test import RequestFactory
from rest_framework import exceptions as drf

from loyalty.api import bodies
from loyalty.api.docs import ERRORS
from loyalty.api.exceptions import as_refusal, bad_request, not_found, problem, server_error
from loyalty.api.fields import EXPLAINED
from loyalty.errors import (
    FieldError,
    RateLimited,
    Unavailable,
    ValidationFailed,
    refusals,
)

for module in settings.BASE_DIR.glob("*/errors.py"):
    import_module(f"{module.parent.name}.errors")

REFUSALS = sorted(refusals(), key=lambda each: (each.code, each.__module__))
DOCUMENTED = re.findall(r"^## ([A-Z_]+)\n\nStatus (\d+)\.", ERRORS.read_text(), re.M)


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Http404("secret"), 404, "NOT_FOUND"),
        (drf.MethodNotAllowed("PATCH"), 405, "METHOD_NOT_ALLOWED"),
        (drf.NotAuthenticated("secret"), 401, "UNAUTHENTICATED"),
        (drf.AuthenticationFailed("secret"), 401, "UNAUTHENTICATED"),
        (drf.NotAcceptable("secret"), 406, "NOT_ACCEPTABLE"),
        (drf.UnsupportedMediaType("secret"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (drf.ParseError("secret"), 400, "VALIDATION_FAILED"),
        (drf.APIException("secret"), 500, "INTERNAL_ERROR"),
        (SuspiciousOperation("secret"), 400, "VALIDATION_FAILED"),
        (UnreadablePostError("secret"), 400, "VALIDATION_FAILED"),
        (RecursionError("secret"), 400, "VALIDATION_FAILED"),
        (OperationalError("secret"), 503, "UNAVAILABLE"),
        (caused(OperationalError("secret"), psycopg.errors.LockNotAvailable()), 503, "UNAVAILABLE"),
        (caused(OperationalError("secret"), psycopg.errors.QueryCanceled()), 503, "UNAVAILABLE"),
        (InterfaceError("secret"), 503, "UNAVAILABLE"),
        (caused(DataError("secret"), psycopg.errors.NumericValueOutOfRange()), 400, "VALIDATION_FAILED"),
        (DataError("secret"), 500, "INTERNAL_ERROR"),
        (AssertionError("secret"), 500, "INTERNAL_ERROR"),
        (KeyError("secret"), 500, "INTERNAL_ERROR"),
    ],
)  # fmt: skip
def test_an_exception_becomes_a_problem_without_its_text(error, status, code):
    response = problem(as_refusal(error), RequestFactory().get("/api/v1/x/"))

    assert (response.status_code, json.loads(response.content)["code"]) == (status, code)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert b"secret" not in response.content


def test_an_unexpected_fault_is_logged_with_its_trace(caplog):
    try:
        raise KeyError("what happened")
    except KeyError as error:
        as_refusal(error)

    assert "what happened" in caplog.text


def test_a_problem_says_what_where_and_under_which_id():
    request = RequestFactory().post("/api/v1/transactions/earn/?x=1")
    request.request_id = "till-1"
    refusal = ValidationFailed([FieldError("/lines/0/amount", "NOT_A_DECIMAL", "Give text.")])

    assert json.loads(problem(refusal, request).content) == {
        "type": "/api/docs/errors/#VALIDATION_FAILED",
        "title": "The request is not valid",
        "status": 400,
        "detail": "Give text. (at /lines/0/amount)",
        "instance": "/api/v1/transactions/earn/",
        "code": "VALIDATION_FAILED",
        "request_id": "till-1",
        "errors": [
            {"pointer": "/lines/0/amount", "code": "NOT_A_DECIMAL", "message": "Give text."}
        ],
    }


def test_a_caller_is_told_when_to_come_back():
    request = RequestFactory().get("/")

    assert problem(RateLimited(17), request).headers["Retry-After"] == "17"
    assert problem(Unavailable(), request).headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (lambda request: bad_request(request, Exception("secret")), 400),
        (lambda request: not_found(request, Exception("secret")), 404),
        (server_error, 500),
    ],
)
def test_a_program_gets_a_problem_and_a_person_a_page(answer, status):
    program = answer(RequestFactory().get("/api/v1/x"))
    person = answer(RequestFactory().get("/admin/x"))

    assert [program.status_code, person.status_code] == [status, status]
    assert program.headers["Content-Type"] == "application/problem+json"
    assert person.headers["Content-Type"].startswith("text/html")
    assert b"secret" not in program.content + person.content


def test_a_code_has_one_meaning():
    meanings = {}
    for refusal in REFUSALS:
        meanings.setdefault(refusal.code, set()).add((refusal.status, refusal.title))

    assert {code: seen for code, seen in meanings.items() if len(seen) > 1} == {}


def test_a_code_and_its_status_stand_in_the_documents_and_nothing_else_does():
    assert dict(DOCUMENTED) == {refusal.code: str(refusal.status) for refusal in REFUSALS}
    assert [code for code, _ in DOCUMENTED] == sorted(code for code, _ in DOCUMENTED)


def test_the_codes_of_fields_stand_in_the_documents():
    written = re.compile(r'FieldError\(\s*[^,]+,\s*"([A-Z_]+)"')
    codes = {code for _, code in bodies._CODES} | {code for code, _ in EXPLAINED.values()}
    for app in ("loyalty", "partners", "members", "ledger", "vouchers", "promotions"):
        for module in (settings.BASE_DIR / app).rglob("*.py"):
            codes |= set(written.findall(module.read_text()))
    known = set(re.findall(r"`([A-Z_]+)`", ERRORS.read_text()))

    assert codes - known == set(), f"say what they mean in {ERRORS.name}, below VALIDATION_FAILED"


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_has_a_title_for_people_and_a_code_for_programs(refusal):
    assert re.fullmatch(r"[A-Z][A-Z_]+[A-Z]", refusal.code)
    assert refusal.title[0].isupper()
    assert not refusal.title.endswith(".")
    assert 400 <= refusal.status < 600


def test_the_page_of_errors_has_an_anchor_for_each_code(client):
    page = client.get("/api/docs/errors/")

    assert page.headers["Content-Type"].startswith("text/html")
    for code, _ in DOCUMENTED:
        assert f'id="{code}"' in page.content.decode()


def test_the_page_of_errors_keeps_a_paragraph_together(client):
    page = client.get("/api/docs/errors/").content.decode()

    assert "A refusal writes nothing, and leaves the reference free." in page
