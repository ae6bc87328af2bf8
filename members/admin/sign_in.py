"""What the help desk does about a member's sign-in: actions of the member's page.

Passwords and PINs themselves are shown to nobody, and set by members alone.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from unfold.decorators import action

from loyalty.caller import Actor
from members.models import Member
from members.services import pins, sign_in

ACTIONS = ["unlock_sign_in", "unlock_pin", "reset_pin", "end_sessions"]


class SignInActions:
    """Mixed into the member's page, which lists `ACTIONS` among its own."""

    def has_unlock_sign_in_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("members.unlock_sign_in")

    def has_unlock_pin_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("members.unlock_pin")

    def has_reset_pin_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("members.reset_pin")

    def has_end_sessions_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("members.end_sessions")

    @action(description="Unlock sign-in", permissions=["unlock_sign_in"], url_path="unlock-sign-in")
    def unlock_sign_in(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Clear the failed sign-ins of a member, by all its names."""
        explained = "Failed sign-ins are forgotten, so that the member may try again at once."
        return self._ask(request, object_id, "Unlock sign-in", explained, sign_in.unlock)

    @action(description="Unlock PIN", permissions=["unlock_pin"], url_path="unlock-pin")
    def unlock_pin(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Clear the failed attempts at a member's PIN."""
        explained = "Failed attempts at the PIN are forgotten; the PIN stays."
        return self._ask(request, object_id, "Unlock PIN", explained, pins.unlock)

    @action(description="Reset PIN", permissions=["reset_pin"], url_path="reset-pin")
    def reset_pin(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take a member's PIN away, so that a first one can be set again."""
        explained = "The PIN is taken away. Let the member set a new one, after looking at a proof."
        return self._ask(request, object_id, "Reset PIN", explained, pins.reset)

    @action(description="End all sessions", permissions=["end_sessions"], url_path="end-sessions")
    def end_sessions(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """End all sessions of a member, on every device."""
        explained = "The member is signed out on every device."
        return self._ask(request, object_id, "End all sessions", explained, sign_in.end_all)

    def _ask(
        self,
        request: HttpRequest,
        object_id: str,
        title: str,
        explained: str,
        work: Callable[..., Any],
    ) -> HttpResponse:
        """Ask for a reason, then do the work as the person of the staff."""
        page: Any = self
        member: Member | None = page.get_object(request, object_id)
        if member is None:
            raise PermissionDenied
        reason = request.POST.get("reason", "").strip()[:4000]
        if request.method == "POST" and reason:
            by = Actor.staff(request.user.get_username())
            work(member, by=by, reason=reason, at=timezone.now())
            page.message_user(request, f"{title}: done.", messages.SUCCESS)
            return redirect("admin:members_member_change", member.pk)
        if request.method == "POST":
            page.message_user(request, "Give a reason.", messages.ERROR)
        context = {
            **page.admin_site.each_context(request),
            "member": member,
            "title": title,
            "explained": explained,
        }
        return render(request, "members/help_sign_in.html", context)
