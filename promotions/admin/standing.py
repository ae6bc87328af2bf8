"""The back office's pages that merge and close members, and move many between stages.

Each shows first what it would do; what is confirmed goes through the services of the API.
"""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from ledger.queries.configuration import configuration
from ledger.queries.stages import Criteria
from ledger.services import stage as stages_service
from ledger.services.stage import Wanted
from ledger.tasks import start_stage_change
from loyalty.caller import Actor
from members import stages
from members.models import Member, Tier
from promotions.admin.confirmed import ConfirmedPages
from promotions.admin.tables import table
from promotions.services.membership import merging
from promotions.services.membership.merging import Merged, MergeRequest, UnmergeRequest
from promotions.services.tiers.tier_override import TierRequest, give_tier

NUMBERS_MAX = 1_000
STATES = ("available", "pending", "locked", "debt")


class ReasonForm(forms.Form):
    """Why it is done."""

    reason = forms.CharField(max_length=4000, widget=UnfoldAdminTextInputWidget())


class MergeForm(ReasonForm):
    """Into whom a member is merged."""

    into = forms.CharField(
        max_length=20, label="Number of the survivor", widget=UnfoldAdminTextInputWidget()
    )


class TierForm(ReasonForm):
    """Which tier is given, and until when."""

    tier = forms.ModelChoiceField(
        Tier.objects.order_by("rank"), to_field_name="code", widget=UnfoldAdminSelectWidget()
    )
    until = forms.SplitDateTimeField(
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget(),
        help_text="Empty: until further notice.",
    )


class MassForm(ReasonForm):
    """Which members are moved to which stage."""

    stage = forms.ChoiceField(
        choices=[each for each in Member.Stage.choices if each[0] != Member.Stage.MERGED],
        widget=UnfoldAdminSelectWidget(),
    )
    only = forms.MultipleChoiceField(
        choices=Member.Stage.choices, required=False, label="Who are now"
    )
    inactive_since = forms.SplitDateTimeField(
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget(),
        help_text="Neither earned nor redeemed since.",
    )
    numbers = forms.CharField(
        required=False,
        label="Only these numbers",
        widget=UnfoldAdminTextareaWidget(),
        help_text=f"One a line, at most {NUMBERS_MAX:,}.",
    )

    def clean(self) -> dict[str, Any]:
        """Refuse a form that names nobody: it would mean everybody."""
        cleaned = super().clean() or {}
        numbers = cleaned.get("numbers", "").split()
        if len(numbers) > NUMBERS_MAX:
            raise forms.ValidationError(f"At most {NUMBERS_MAX:,} numbers.")
        if not (cleaned.get("only") or cleaned.get("inactive_since") or numbers):
            raise forms.ValidationError("Say which members: by stage, inactivity or number.")
        return cleaned

    def criteria(self) -> Criteria:
        """Return what the form asks for, as the service takes it."""
        return Criteria(
            stages=tuple(self.cleaned_data["only"]),
            inactive_since=self.cleaned_data["inactive_since"],
            members=tuple(dict.fromkeys(self.cleaned_data["numbers"].split())),
        )


class StandingActions(ConfirmedPages):
    """The actions of a member's page, and of the list, that change who is a member and how."""

    def has_standing_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether a person of the staff may merge and close members."""
        return request.user.has_perm("members.change_member")

    @action(description="Merge into another", permissions=["standing"], url_path="merge")
    def merge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the survivor, show what would move, then merge."""
        member = self._member(request, object_id)
        now, by = timezone.now(), Actor.staff(request.user.get_username())

        def wanted(form: Any) -> MergeRequest:
            return MergeRequest(
                giver={"number": member.number},
                taker={"number": form.cleaned_data["into"]},
                reason=form.cleaned_data["reason"],
                by=by,
            )

        return self._page(
            request,
            MergeForm,
            preview=lambda form: _moves(merging.preview(wanted(form), at=now)),
            confirm=lambda form: merging.merge(wanted(form), at=now),
            title=f"Merge member {member.number} into another",
            text="Points, cards and all else go to the survivor, whom this number then names.",
            verb="Merge",
            back=_page_of(member),
            initial={"into": request.GET.get("into", "")},
        )

    @action(description="Undo the merge", permissions=["standing"], url_path="unmerge")
    def unmerge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for a reason, then part a merged member from its survivor."""
        member = self._member(request, object_id)
        now, by = timezone.now(), Actor.staff(request.user.get_username())
        return self._page(
            request,
            ReasonForm,
            preview=lambda form: f"Member {member.number} is parted from {member.merged_into}.",
            confirm=lambda form: merging.unmerge(
                UnmergeRequest(number=member.number, reason=form.cleaned_data["reason"], by=by),
                at=now,
            ),
            title=f"Undo the merge of member {member.number}",
            text="It is refused once anything that moved was used.",
            verb="Part them",
            back=_page_of(member),
        )

    @action(description="Close the membership", permissions=["standing"], url_path="close")
    def close(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for a reason, show what is forfeited, then close the membership for good."""
        member = self._member(request, object_id)
        now, by = timezone.now(), Actor.staff(request.user.get_username())

        def wanted(form: Any) -> Wanted:
            return Wanted(stage="CLOSED", reason=form.cleaned_data["reason"], by=by)

        reference = {"number": member.number}
        return self._page(
            request,
            ReasonForm,
            preview=lambda form: _forfeits(
                stages_service.preview_member(reference, wanted(form), at=now)[1]
            ),
            confirm=lambda form: stages_service.change_member(reference, wanted(form), at=now),
            title=f"Close the membership {member.number}",
            text="A closed membership stays closed.",
            verb="Close it",
            back=_page_of(member),
        )

    @action(description="Give a tier", permissions=["tier"], url_path="tier")
    def give_tier(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for tier, end and reason, then let it hold whatever the rules say."""
        member = self._member(request, object_id)
        now, by = timezone.now(), Actor.staff(request.user.get_username())

        def wanted(form: Any) -> TierRequest:
            given = form.cleaned_data
            return TierRequest(
                member={"number": member.number},
                tier=given["tier"].code,
                starts_at=None,
                ends_at=given["until"],
                reason=given["reason"],
                by=by,
            )

        return self._page(
            request,
            TierForm,
            preview=lambda form: (
                f"Member {member.number} goes from {member.tier} to {wanted(form).tier}."
            ),
            confirm=lambda form: give_tier(wanted(form), at=now),
            title=f"Give member {member.number} a tier",
            text="It holds until its end, whatever the rules say; then they decide again.",
            verb="Give it",
            back=_page_of(member),
        )

    def has_tier_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether a person of the staff may give tiers by hand."""
        return request.user.has_perm("members.change_tier")

    @action(description="Change the stage of many", permissions=["standing"], url_path="stages")
    def move_many(self, request: HttpRequest) -> HttpResponse:
        """Ask whom and where, show how many fit, then start the job."""
        now, by = timezone.now(), Actor.staff(request.user.get_username())

        def start(form: Any) -> None:
            given = form.cleaned_data
            wanted = Wanted(stage=given["stage"], reason=given["reason"], by=by)
            start_stage_change(form.criteria(), wanted, at=now)

        return self._page(
            request,
            MassForm,
            preview=_fits,
            confirm=start,
            title="Change the stage of many members",
            text="A job moves them; its progress and what it could not move stand under Jobs.",
            verb="Start",
            back=reverse("admin:loyalty_job_changelist"),
        )

    def _member(self, request: HttpRequest, object_id: str) -> Member:
        member = Member.objects.select_related("merged_into").filter(pk=object_id).first()
        if member is None:
            raise PermissionDenied
        return member


def _page_of(member: Member) -> str:
    return reverse("admin:members_member_change", args=[member.pk])


def _codes() -> dict[int, str]:
    return {key: facts.code for key, facts in configuration().point_types.items()}


def _moves(done: Merged) -> str:
    codes = _codes()
    rows: list[list[Any]] = [
        [codes[each.point_type], *(f"{getattr(each, state):,}" for state in STATES)]
        for each in done.points
    ]
    rows += [[f"{count} {name}", "", "", "", ""] for name, count in done.counts.items() if count]
    rows += [
        [
            f"Above the limit: {each.kind} {each.about}, {each.held} of {each.at_most}",
            "",
            "",
            "",
            "",
        ]
        for each in done.conflicts
    ]
    return table([f"To {done.taker.number}", *STATES], rows)


def _forfeits(taken: dict[int, int]) -> str:
    codes = _codes()
    rows = [[codes[key], f"{points:,}"] for key, points in taken.items()]
    return table(["", "forfeited"], rows or [["No points", "0"]])


def _fits(form: Any) -> str:
    seen = stages_service.preview(form.criteria(), form.cleaned_data["stage"])
    after = form.cleaned_data["stage"]
    rows = [
        [each.number, each.stage, "yes" if stages.may_change(each.stage, after) else "no"]
        for each in seen.sample
    ]
    heading = f"{seen.matched:,} fit, {seen.refused + len(seen.unknown):,} of them cannot be moved"
    return table([heading, "now", "moves"], rows)
