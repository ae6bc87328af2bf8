"""Permission: closed unless named. DRF imports this while it loads, so it imports no DRF itself."""

from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured

from loyalty.caller import Caller, CallerKind
from loyalty.errors import (
    MemberNotFound,
    MethodNotAllowed,
    ScopeMissing,
    SessionNeeded,
    Unauthenticated,
)

if TYPE_CHECKING:
    from rest_framework.request import Request

    from loyalty.api.views import ProgramViewSet


# DRF's names for a method without an action, and for OPTIONS, which the schema answers better.
NO_ACTION = (None, "metadata")
ME = "me"


class HasActionScope:
    """Admit who may do what the view names for the requested action.

    A client needs the action's scope. A member's session reaches the view's `member_actions`, and
    of members only itself, written `me`; a public client its `public_actions`.
    """

    def has_permission(self, request: "Request", view: "ProgramViewSet") -> bool:
        action = getattr(view, "action", None)
        if action in NO_ACTION:
            raise MethodNotAllowed(request.method)
        if action not in view.action_scopes:
            raise ImproperlyConfigured(f"{view!r} names no scope for {action}.")
        caller = request.user
        if not isinstance(caller, Caller):
            raise Unauthenticated
        number = view.kwargs.get("number")
        if number is not None and (number == ME) != (caller.kind is CallerKind.MEMBER):
            raise MemberNotFound  # Another's, or nobody's: one and the same answer.
        scope = view.action_scopes[action]
        if not _may(caller, view, action, scope):
            raise ScopeMissing(scope) if scope else SessionNeeded()
        return True


def _may(caller: Caller, view: "ProgramViewSet", action: str, scope: str | None) -> bool:
    if caller.kind is CallerKind.MEMBER:
        return action in view.member_actions
    if caller.kind is CallerKind.PUBLIC:
        return action in view.public_actions
    return scope in caller.scopes or not caller.scopes.isdisjoint(view.other_scopes.get(action, ()))
