"""The page of a member on which staff give or take points by hand."""

from typing import Any
from uuid import uuid4

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from ledger.models import PointType
from ledger.services.adjustments import AdjustmentRequest, adjust_points
from loyalty.digest import digest_of
from members.models import Member
from partners.queries import house
from promotions.admin.confirmed import ConfirmedPages

POINTS_MAX = 1_000_000_000


class AdjustForm(forms.Form):
    """How many points are given or taken, and why."""

    direction = forms.ChoiceField(
        choices=[("CREDIT", "Give"), ("DEBIT", "Take")], widget=UnfoldAdminSelectWidget()
    )
    points = forms.IntegerField(
        min_value=1,
        max_value=POINTS_MAX,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="In the smallest unit of their type. No more is taken than is available.",
    )
    type = forms.ModelChoiceField(
        PointType.objects.filter(active=True).order_by("code"),
        to_field_name="code",
        empty_label=None,
        widget=UnfoldAdminSelectWidget(),
    )
    reason = forms.CharField(
        max_length=4000,
        widget=UnfoldAdminTextInputWidget(),
        help_text="The member may read it.",
    )
    # Given out with the page, so that a page sent twice is posted once.
    reference = forms.UUIDField(widget=forms.HiddenInput())


class AdjustingActions(ConfirmedPages):
    """Mixed into the member's page, which lists `adjust` among its own actions."""

    def has_adjust_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether a person of the staff may give and take points."""
        return request.user.has_perm("ledger.change_memberpoints")

    @action(description="Give or take points", permissions=["adjust"], url_path="adjust")
    def adjust(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for points and a reason, show what would be posted, then post it."""
        member = Member.objects.filter(pk=object_id).first()
        if member is None:
            raise PermissionDenied
        by, now = request.user.get_username(), timezone.now()

        def wanted(form: Any) -> AdjustmentRequest:
            given = form.cleaned_data
            content = {**given, "type": given["type"].code, "member": member.number, "by": by}
            content["reference"] = reference = f"BACK-OFFICE-{given['reference']}"
            return AdjustmentRequest(
                member={"number": member.number},
                partner_id=house().pk,
                reference=reference,
                digest=digest_of("adjust", content),
                occurred_at=now,
                point_type=given["type"].code,
                direction=given["direction"],
                points=given["points"],
                reason=given["reason"],
            )

        def preview(form: Any) -> str:
            asked = wanted(form)
            verb = "is given" if asked.direction == "CREDIT" else "loses"
            return f"Member {member.number} {verb} {asked.points:,} {asked.point_type}."

        return self._page(
            request,
            AdjustForm,
            preview=preview,
            confirm=lambda form: adjust_points(wanted(form), at=now),
            title=f"Give or take points of member {member.number}",
            text="An adjustment is posted for the programme itself, with its reason.",
            verb="Post it",
            back=reverse("admin:members_member_change", args=[member.pk]),
            initial={"reference": uuid4()},
            own_unit=True,
        )
