"""Refusals and faults to RFC 9457 problem documents."""

import logging
from typing import Any

import msgspec
import psycopg
from django.core.exceptions import PermissionDenied
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions as drf

from loyalty.errors import (
    FieldError,
    InternalError,
    LoyaltyError,
    MethodNotAllowed,
    NotFound,
    Unauthenticated,
    Unavailable,
    ValidationFailed,
)

log = logging.getLogger(__name__)


def problem_response(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """Answer an exception of a view as a problem document; an unexpected one is logged."""
    view = context.get("view")
    response = problem(as_refusal(error), context["request"]._request)
    if view is not None and response.status_code == 401:  # noqa: PLR2004
        response["WWW-Authenticate"] = view.get_authenticate_header(context["request"])
    return response


def as_refusal(error: Exception) -> LoyaltyError:
    """Return an exception as a refusal; an unexpected one is logged and becomes a fault of ours."""
    if isinstance(error, LoyaltyError):
        return error
    if isinstance(error, Http404):
        return NotFound("There is nothing here.")
    if isinstance(error, drf.MethodNotAllowed):
        return MethodNotAllowed(str(error.detail))
    if isinstance(error, drf.NotAuthenticated | drf.AuthenticationFailed | PermissionDenied):
        return Unauthenticated()
    if isinstance(error, OperationalError | InterfaceError):
        log.warning("The database refused: %s", error)
        return Unavailable()
    if isinstance(error, DataError) and isinstance(error.__cause__, psycopg.DataError):
        log.warning("A value passed the door but not the database: %s", error)
        return ValidationFailed([FieldError("", "OUT_OF_RANGE", "A value is out of range.")])
    log.error("Unexpected fault", exc_info=error)
    return InternalError()


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
        "instance": request.path,
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
    found = FieldError("", "BAD_REQUEST", "The request could not be read.")
    return problem(ValidationFailed([found]), request)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an address that leads nowhere."""
    return problem(NotFound("There is nothing here. Addresses end in a slash."), request)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a fault outside the API's views."""
    return problem(InternalError(), request)
