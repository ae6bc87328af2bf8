"""Permission: closed unless named. DRF imports this while it loads, so it imports no DRF itself."""

from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured

from loyalty.caller import Caller
from loyalty.errors import MethodNotAllowed, ScopeMissing, Unauthenticated

if TYPE_CHECKING:
    from rest_framework.request import Request

    from loyalty.api.views import ProgramViewSet


# DRF's names for a method without an action, and for OPTIONS, which the schema answers better.
NO_ACTION = (None, "metadata")


class HasActionScope:
    """Admit a token that holds the scope its view names for the requested action."""

    def has_permission(self, request: "Request", view: "ProgramViewSet") -> bool:
        if getattr(view, "action", None) in NO_ACTION:
            raise MethodNotAllowed(request.method)
        scope = view.action_scopes.get(view.action)
        if scope is None:
            raise ImproperlyConfigured(f"{view!r} names no scope for {view.action}.")
        if not isinstance(request.user, Caller):
            raise Unauthenticated
        if scope not in request.user.scopes:
            raise ScopeMissing(scope)
        return True
