"""Refusals and faults to RFC 9457 problem documents."""

import logging
from typing import Any

import msgspec
import psycopg
from django.core.exceptions import SuspiciousOperation
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.views import defaults
from rest_framework import exceptions as drf

from loyalty.api.paths import masked_path
from loyalty.errors import (
    FieldError,
    InternalError,
    LoyaltyError,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    ScopeMissing,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
    ValidationFailed,
)

log = logging.getLogger(__name__)


def problem_response(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """Answer an exception of a view as a problem document; an unexpected one is logged."""
    view, request = context["view"], context["request"]
    refusal = as_refusal(error)
    response = problem(refusal, request._request)
    if isinstance(refusal, Unauthenticated | ScopeMissing):
        response["WWW-Authenticate"] = _challenge(refusal, request._request)
    elif refusal.status == 401:  # noqa: PLR2004 a sign-in, whose token or client was good
        response["WWW-Authenticate"] = 'Bearer realm="laurel"'
    elif isinstance(refusal, MethodNotAllowed):
        allowed = (each for each in view.allowed_methods if each != "OPTIONS")
        response["Allow"] = ", ".join(allowed)
    return response


def _challenge(refusal: LoyaltyError, request: HttpRequest) -> str:
    """Return what RFC 6750 asks for: how to authenticate, and what was wrong with the token."""
    if isinstance(refusal, ScopeMissing):
        scope = refusal.extra["scope"]
        return f'Bearer realm="laurel", error="insufficient_scope", scope="{scope}"'
    sent = ', error="invalid_token"' if "Authorization" in request.headers else ""
    return f'Bearer realm="laurel"{sent}'


def as_refusal(error: Exception) -> LoyaltyError:
    """Return an exception as a refusal; an unexpected one is logged and becomes a fault of ours."""
    if isinstance(error, LoyaltyError):
        return error
    if isinstance(error, Http404):
        return NotFound("There is nothing here.")
    if isinstance(error, drf.APIException):
        return _of_framework(error)
    if isinstance(error, SuspiciousOperation | UnreadablePostError):
        return _unreadable()
    if isinstance(error, RecursionError):
        log.warning("Nested too deeply", exc_info=error)
        return ValidationFailed([FieldError("", "TOO_DEEP", "Nested too deeply.")])
    if isinstance(error, OperationalError | InterfaceError):
        log.warning("The database refused: %s", error)
        return Unavailable()
    if isinstance(error, DataError) and isinstance(error.__cause__, psycopg.DataError):
        log.warning("A value passed the door but not the database: %s", error)
        return ValidationFailed([FieldError("", "OUT_OF_RANGE", "A value is out of range.")])
    log.error("Unexpected fault", exc_info=error)
    return InternalError()


def _of_framework(error: drf.APIException) -> LoyaltyError:
    """Return what DRF itself refuses; our own views rarely let it come that far."""
    if isinstance(error, drf.MethodNotAllowed):
        return MethodNotAllowed(error.args[0] if error.args else None)
    if isinstance(error, drf.NotAuthenticated | drf.AuthenticationFailed):
        return Unauthenticated()
    if isinstance(error, drf.NotAcceptable):
        return NotAcceptable()
    if isinstance(error, drf.UnsupportedMediaType):
        return UnsupportedMediaType()
    if isinstance(error, drf.ParseError):
        return _unreadable()
    log.error("Unexpected refusal of the framework", exc_info=error)
    return InternalError()


def _unreadable() -> ValidationFailed:
    return ValidationFailed([FieldError("", "BAD_REQUEST", "The request could not be read.")])


def problem(error: LoyaltyError, request: HttpRequest) -> HttpResponse:
    """Answer a refusal."""
    body = msgspec.json.encode(document_of(error, request))
    response = HttpResponse(body, status=error.status, content_type="application/problem+json")
    if error.status == 503:  # noqa: PLR2004
        response["Retry-After"] = "1"
    elif "retry_after" in error.extra:
        response["Retry-After"] = str(error.extra["retry_after"])
    return response


def document_of(error: LoyaltyError, request: HttpRequest) -> dict[str, Any]:
    """Return the problem document of a refusal."""
    document: dict[str, Any] = {
        "type": f"/api/docs/errors/#{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": masked_path(request.path),
        "code": error.code,
        "request_id": getattr(request, "request_id", None),
        **error.extra,
    }
    if isinstance(error, ValidationFailed):
        document["errors"] = [
            {"pointer": each.pointer, "code": each.code, "message": each.message}
            for each in error.errors
        ]
    return document


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django itself finds wrong with a request."""
    if _is_for_a_person(request):
        return defaults.bad_request(request, exception)
    return problem(_unreadable(), request)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an address that leads nowhere."""
    if _is_for_a_person(request):
        return defaults.page_not_found(request, exception)
    return problem(NotFound("There is nothing here. Addresses end in a slash."), request)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a fault outside the API's views."""
    if _is_for_a_person(request):
        return defaults.server_error(request)
    return problem(InternalError(), request)


def _is_for_a_person(request: HttpRequest) -> bool:
    """Whether the address is of the back office, whose pages a browser shows."""
    return request.path.startswith("/admin")
