"""Bearer tokens to callers."""

from collections.abc import Callable
from datetime import datetime
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from loyalty import token_cache
from loyalty.caller import Caller
from loyalty.errors import Unauthenticated

Resolver = Callable[[str], tuple[Caller, datetime] | None]


@cache
def _resolver() -> Resolver:
    """Return the look-up of tokens; it lives above this app, so settings name it."""
    resolver: Resolver = import_string(settings.LAUREL_CALLER_RESOLVER)
    return resolver


class CallerAuthentication(BaseAuthentication):
    """Find the client behind `Authorization: Bearer …`. A known token costs no query."""

    def authenticate(self, request: Request) -> tuple[Caller, str] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer" or not token.isascii() or not token:
            raise Unauthenticated
        caller = token_cache.get(token)
        if caller is None:
            found = _resolver()(token)
            if found is None:
                raise Unauthenticated
            caller, expires_at = found
            token_cache.put(token, caller, expires_at)
        return caller, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="laurel"'
