"""The base of every viewset: a body in, one call, an answer out."""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, TypeVar, cast

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from loyalty.api.bodies import read_body, read_query
from loyalty.api.fields import MemberReference
from loyalty.caller import Caller
from loyalty.errors import FieldError, ValidationFailed
from loyalty.scopes import Scope
from loyalty.services import idempotency

_VERSION_TAG = re.compile(r'(?:W/)?"([0-9]{1,18})"')
T = TypeVar("T", bound=msgspec.Struct)


def _names(known: str, tag: str) -> bool:
    """Whether `If-None-Match` names a tag; there, weak and strong ones are alike (RFC 9110)."""
    tags = {each.strip().removeprefix("W/") for each in known.split(",")}
    return "*" in tags or tag.removeprefix("W/") in tags


class ProgramViewSet(ViewSetMixin, APIView):
    """A viewset whose actions each name one scope.

    Bodies and answers are msgspec structs: as strict as serializers, and four times as fast.
    """

    action: str  # DRF sets it; None where the method has no action.
    # None: no client's token does it, a member's session alone.
    action_scopes: ClassVar[Mapping[str, Scope | None]] = {}
    # Scopes that admit, too: the body then says which of them it needs, and the view asks for it.
    other_scopes: ClassVar[Mapping[str, frozenset[Scope]]] = {}
    member_actions: ClassVar[frozenset[str]] = frozenset()
    public_actions: ClassVar[frozenset[str]] = frozenset()

    @property
    def caller(self) -> Caller:
        """Who is behind the token."""
        return cast(Caller, self.request.user)

    def member_named(self, number: str) -> dict[str, Any]:
        """Return the member reference of a path's `{number}`, which is `me` for a session."""
        if self.caller.member_id is not None:
            return {"id": self.caller.member_id}
        return {"number": number}

    def member_in_body(self, reference: MemberReference | None) -> dict[str, Any]:
        """Return whom a body means: a session itself and nobody else, a client whom it names.

        :raises ValidationFailed: if a session names anybody, or a client nobody.
        """
        if self.caller.member_id is not None:
            if reference is not None:
                message = "A session acts for its own member; leave this out."
                raise ValidationFailed([FieldError("/member", "NOT_HERE", message)])
            return {"id": self.caller.member_id}
        if reference is None:
            raise ValidationFailed([FieldError("/member", "MISSING_FIELD", "Name the member.")])
        return reference.named()

    def if_match(self) -> int | None:
        """Return the version that the caller read, from `If-Match`; None if it does not say.

        :raises ValidationFailed: if the header is not an ETag of ours.
        """
        tag = self.request.headers.get("If-Match")
        if tag is None or tag == "*":
            return None
        match = _VERSION_TAG.fullmatch(tag)
        if match is None:
            message = 'Send the ETag of what you read, such as "7".'
            raise ValidationFailed([FieldError("/headers/If-Match", "NOT_IN_FORM", message)])
        return int(match[1])

    def change(
        self,
        body: msgspec.Struct,
        work: Callable[[], msgspec.Struct],
        *,
        status: int | Callable[[], int] = 200,
        headers: Callable[[], dict[str, str]] = dict,
    ) -> HttpResponse:
        """Run a change in one transaction and answer it; `Idempotency-Key` makes a retry safe.

        `work` calls a step and returns the answer, which is stored with the change: the same key
        with the same content answers it again and does nothing.
        """
        key = idempotency.key_of(
            self.request.headers.get("Idempotency-Key"),
            client_id=self.caller.client_id,
            route=f"{self.request.method} {self.request.path}",
            body=body,
        )
        done = idempotency.run(work, key=key, status=status, at=self.now())
        return self.stored(done, headers=headers)

    def stored(
        self, done: idempotency.Done, *, headers: Callable[[], dict[str, str]] = dict
    ) -> HttpResponse:
        """Answer what a change or posting kept: the first answer again where it had been made."""
        more = {"Idempotent-Replayed": "true"} if done.replayed else headers()
        return HttpResponse(
            done.answer, status=done.status, content_type="application/json", headers=more
        )

    @property
    def request_id(self) -> str:
        """The id under which this request is logged."""
        return cast(str, cast(Any, self.request._request).request_id)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Answer JSON whatever `Accept` says, as RFC 9110 allows, and spend no time on it."""
        return None, "application/json"

    def now(self) -> datetime:
        """Return the instant of this call; services take it, and read no clock themselves."""
        return timezone.now()

    def body(self, shape: type[T]) -> T:
        """Return the request's body; see `read_body` for what it refuses."""
        return read_body(self.request._request, shape)

    def query(self, shape: type[T]) -> T:
        """Return the query parameters; see `read_query` for what it refuses."""
        return read_query(self.request.query_params, shape)

    def answer(
        self, content: Any, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> HttpResponse:
        """Return a struct as JSON."""
        body = msgspec.json.encode(content)
        return HttpResponse(body, status=status, content_type="application/json", headers=headers)

    def answer_known(
        self, content: Any, *, tag: str | None = None, headers: dict[str, str] | None = None
    ) -> HttpResponse:
        """Return a struct as JSON with its ETag, or 304 to a caller whose `If-None-Match` has it.

        `tag` is the version that `If-Match` takes; without one, a weak tag is made of the content.
        """
        body = msgspec.json.encode(content)
        weak = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
        more = {**(headers or {}), "ETag": weak if tag is None else f'"{tag}"'}
        known = self.request.headers.get("If-None-Match")
        if known is not None and _names(known, more["ETag"]):
            return HttpResponse(status=304, headers=more)
        return HttpResponse(body, content_type="application/json", headers=more)

    def posted(self, content: Any, *, replayed: bool) -> HttpResponse:
        """Answer a posting: 201 when it is new, 200 and a header when it had been posted before."""
        if replayed:
            return self.answer(content, headers={"Idempotent-Replayed": "true"})
        return self.answer(content, status=201)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Say how much of the rate limit is left."""
        limit = getattr(getattr(request, "_request", None), "rate_limit", None)
        if limit:
            response["RateLimit-Limit"], response["RateLimit-Remaining"] = map(str, limit[:2])
            response["RateLimit-Reset"] = str(limit[2])
        return response
