"""What every request passes first: its id, and the bounds of its address."""

import re
from collections.abc import Callable

import structlog
import uuid_utils.compat
from django.http import HttpRequest, HttpResponse

from loyalty.api.exceptions import problem
from loyalty.errors import PayloadTooLarge
from loyalty.services.uploads import BYTES_MAX

# A file as large as an import takes, and what a form adds to it.
REQUEST_BYTES_MAX = BYTES_MAX + 1024**2
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestMiddleware:
    """Give each request an id (the caller's `X-Request-Id` if it is a plain one) and echo it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid_utils.compat.uuid7())
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        # Before a form of the back office is read, which may be before anybody asks who sends it.
        if _length(request) > REQUEST_BYTES_MAX:
            response = problem(PayloadTooLarge(BYTES_MAX), request)
        else:
            response = self.get_response(request)
        response["X-Request-Id"] = request_id
        if not response.streaming and not response.has_header("Content-Length"):
            response["Content-Length"] = str(len(response.content))
        return response


def _length(request: HttpRequest) -> int:
    announced = request.META.get("CONTENT_LENGTH") or "0"
    return int(announced) if announced.isdecimal() else 0
