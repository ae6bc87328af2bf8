"""Bearer tokens to callers, and the ids of public clients."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import cache

from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from loyalty import token_cache
from loyalty.caller import Caller
from loyalty.errors import Unauthenticated

Resolver = Callable[[str], tuple[Caller, datetime] | None]
PUBLIC_CLIENT = "X-Client-Id"


@cache
def _resolver(prefix: str) -> Resolver:
    """Return a look-up of tokens; it lives above this app, so settings name it."""
    resolver: Resolver = import_string(settings.LAUREL_CALLER_RESOLVERS[prefix])
    return resolver


def _resolver_of(token: str) -> Resolver:
    prefixes = (each for each in settings.LAUREL_CALLER_RESOLVERS if token.startswith(each))
    return _resolver(next(prefixes))


class CallerAuthentication(BaseAuthentication):
    """Find who is behind `Authorization: Bearer …`. A known token costs no query.

    Without one, `X-Client-Id` names a public client, which is limited by its address.
    """

    def authenticate(self, request: Request) -> tuple[Caller, str] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            client_id = request.headers.get(PUBLIC_CLIENT)
            return None if client_id is None else (self._public(request, client_id), "")
        if scheme.lower() != "bearer" or not token.isascii() or not token:
            raise Unauthenticated
        return self._behind(token, _resolver_of(token)), token

    def _behind(self, token: str, resolver: Resolver) -> Caller:
        caller = token_cache.get(token)
        if caller is None:
            found = resolver(token)
            if found is None:
                raise Unauthenticated
            caller, expires_at = found
            token_cache.put(token, caller, expires_at)
        return caller

    def _public(self, request: Request, client_id: str) -> Caller:
        if not client_id.isascii() or "\0" in client_id:
            raise Unauthenticated
        resolver: Resolver = import_string(settings.LAUREL_PUBLIC_CALLER)
        caller = self._behind(f"public {client_id}", lambda _: resolver(client_id))
        address = address_of(request._request)
        return replace(caller, client_id=f"{caller.client_id}@{address}")

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="laurel"'


def address_of(request: HttpRequest) -> str:
    """Return the address a request came from; behind a proxy, the one that the proxy saw."""
    forwarded = request.headers.get("X-Forwarded-For", "")
    if settings.BEHIND_PROXY and forwarded:
        return forwarded.rpartition(",")[2].strip()[:64]
    return str(request.META.get("REMOTE_ADDR", ""))
