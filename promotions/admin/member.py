"""The back office's page of a member: all about one, and every change by the same services."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from ledger.models import Account
from ledger.services.stage import Wanted, change_member
from loyalty.caller import Caller
from loyalty.errors import LoyaltyError, ValidationFailed
from loyalty.models import Program
from members import stages
from members.admin.sign_in import ACTIONS as SIGN_IN_ACTIONS
from members.admin.sign_in import SignInActions
from members.models import Activity, Alias, Card, Member
from members.queries.consents import consents_of
from members.queries.history import family_of
from members.services import profile
from partners.queries import house
from promotions.admin.adjusting import AdjustingActions
from promotions.admin.holdings import (
    segments_of,
    subscriptions_of,
    transactions_of,
    vouchers_of,
)
from promotions.admin.standing import StandingActions
from promotions.admin.sweepstake import tickets_of
from promotions.admin.tables import table
from promotions.services.membership import enrollment
from promotions.services.membership.enrollment import EnrollmentRequest, UpdateRequest
from promotions.services.membership.erasure import erase_member

LINES = 50  # Of the timeline; the whole of it is what the API answers in pages.
PROFILE = [
    "first_name",
    "last_name",
    "birth_date",
    "email",
    "phone",
    "language",
    "address",
    "attributes",
]
SHOWN = [
    "number",
    "tier",
    "tier_since",
    "stage_since",
    "enrolled_by",
    "joined_at",
    "merged_into",
    "merged_from",
    "referrer",
    "version",
    "email_confirmed_at",
    "phone_confirmed_at",
    "erased_at",
    "balances",
    "transactions",
    "segments",
    "vouchers",
    "subscriptions",
    "tickets",
    "consents",
    "timeline",
]
# What is shown apart from how the membership stands.
POINTS = ["balances", "transactions"]
HAS = ["segments", "vouchers", "subscriptions", "tickets", "consents"]


def staff(request: HttpRequest) -> Caller:
    """Return who works in the back office, as the services know callers."""
    programme = house()
    return Caller.staff(
        request.user.get_username(), house_id=programme.pk, house_code=programme.code
    )


class MemberForm(forms.ModelForm):
    """A member's profile and stage; a new one also with a card and a referrer."""

    reason = forms.CharField(
        required=False,
        max_length=4000,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Why the stage changes. The member may read it.",
    )
    card = forms.CharField(
        required=False,
        max_length=32,
        widget=UnfoldAdminTextInputWidget(),
        help_text="The number on a printed card.",
    )
    issue_card = forms.BooleanField(required=False, help_text="Give the next number of a range.")
    referred_by = forms.CharField(
        required=False,
        max_length=20,
        widget=UnfoldAdminTextInputWidget(),
        help_text="The number of the member who sent this one.",
    )

    class Meta:
        model = Member
        fields = [*PROFILE, "stage"]

    def clean(self) -> dict[str, Any]:
        """Check the profile as the API does, and put what is wrong to its field."""
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        member = self.instance if self.instance.pk else None
        try:
            profile.read_profile(
                self.given(),
                Program.objects.get(pk=1),
                at=timezone.now(),
                attributes=None if member is None else {},
            )
        except ValidationFailed as error:
            for each in error.errors:
                name = each.pointer.split("/")[2]
                self.add_error(name, f"{each.message} ({each.pointer})")
        return cleaned

    def given(self) -> dict[str, Any]:
        """Return the profile as the service takes it: what is empty clears its field.

        The form shows all attributes, so that one which is missing was taken away.
        """
        given = {name: self.cleaned_data.get(name) or None for name in PROFILE}
        kept = given["attributes"] or {}
        before = {} if self.instance.pk is None else self.initial.get("attributes") or {}
        given["attributes"] = {**dict.fromkeys(before), **kept}
        return given if self.instance.pk else {k: v for k, v in given.items() if v is not None}


class CardInline(TabularInline):
    model = Card
    extra = 0
    fields = readonly_fields = ["number", "status", "issued_at", "closed_at"]
    show_change_link = True
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AliasInline(TabularInline):
    model = Alias
    extra = 0
    fields = readonly_fields = ["provider", "value", "added_at", "verified_at"]
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Member)
class MemberAdmin(AdjustingActions, StandingActions, SignInActions, ModelAdmin):
    form = MemberForm
    list_display = ["number", "first_name", "last_name", "stage", "tier", "joined_at"]
    list_filter = ["stage", "tier"]
    list_select_related = ["tier"]
    search_fields = ["number", "last_name", "=email", "=phone", "cards__number"]
    inlines = [CardInline, AliasInline]
    search_help_text = "Number, card, e-mail, phone or last name."
    actions_detail: ClassVar[list[Any]] = [
        "adjust",
        "give_tier",
        {"title": "Membership", "items": ["merge", "unmerge", "close", "erase"]},
        {"title": "Sign-in", "items": SIGN_IN_ACTIONS},
    ]
    actions_list = ["move_many"]
    show_full_result_count = False

    def get_fieldsets(self, request: HttpRequest, obj: Member | None = None) -> Any:
        if obj is None:
            return [
                ("Person", {"fields": PROFILE}),
                ("Membership", {"fields": ["card", "issue_card", "referred_by"]}),
            ]
        return [
            ("Points", {"fields": POINTS}),
            ("Person", {"fields": PROFILE}),
            (
                "Stage",
                {
                    "fields": ["stage", "reason"]
                    if self.has_change_permission(request, obj)
                    else ["stage"]
                },
            ),
            ("Has", {"fields": HAS}),
            (
                "Membership",
                {"fields": [f for f in SHOWN if f not in (*POINTS, *HAS, "timeline")]},
            ),
            ("What happened", {"fields": ["timeline"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Member | None = None) -> list[str]:
        return [] if obj is None else SHOWN

    def get_inlines(self, request: HttpRequest, obj: Member | None = None) -> list[Any]:
        return [] if obj is None else list(self.inlines)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Member]:
        return super().get_queryset(request).select_related("tier", "enrolled_by")

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "stage":
            # Final ones are reached by services that see to the points and the person.
            kwargs["choices"] = [
                each for each in Member.Stage.choices if each[0] not in stages.FINAL
            ]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Show a refusal of the services as a message; the page's transaction is rolled back."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except LoyaltyError as refusal:
            self.message_user(request, refusal.detail, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: Member, form: Any, change: bool) -> None:
        """Change or enrol through the steps that the API takes, as the person of the staff."""
        if change:
            self._update(request, obj, form)
        else:
            self._enroll(request, obj, form)

    def _update(self, request: HttpRequest, obj: Member, form: Any) -> None:
        now, caller = timezone.now(), staff(request)
        stage = form.cleaned_data.get("stage")
        if "stage" in form.changed_data:
            wanted = Wanted(
                stage=stage, reason=form.cleaned_data.get("reason") or "", by=caller.actor
            )
            change_member({"id": obj.pk}, wanted, at=now)
        update = UpdateRequest(caller=caller, member={"id": obj.pk}, profile=form.given())
        enrollment.update(update, at=now)

    def _enroll(self, request: HttpRequest, obj: Member, form: Any) -> None:
        wanted = form.cleaned_data
        referrer = {"number": wanted["referred_by"]} if wanted["referred_by"] else None
        outcome = enrollment.enroll(
            EnrollmentRequest(
                caller=staff(request),
                profile=form.given(),
                card=wanted["card"] or None,
                issue_card=wanted["issue_card"],
                referrer=referrer,
                channel="BACK_OFFICE",
            ),
            at=timezone.now(),
        )
        member = Member.objects.get(number=outcome.enrolled.number)
        obj.pk, obj.number = member.pk, member.number
        if not outcome.enrolled.created:
            self.message_user(request, "This person was a member already.", messages.WARNING)

    def has_change_permission(self, request: HttpRequest, obj: Member | None = None) -> bool:
        over = obj is not None and obj.stage in stages.FINAL  # There is nothing left to change.
        return super().has_change_permission(request, obj) and not over

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # Their books stay; a person is erased.

    def has_erase_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether a person of the staff may erase members."""
        return request.user.has_perm("members.erase_member")

    @action(description="Erase this person", permissions=["erase"], url_path="erase")
    def erase(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the number and a reason, then erase the person for ever."""
        member = self.get_object(request, object_id)
        if member is None:
            raise PermissionDenied
        page = "admin:members_member_change"
        if request.method == "POST":
            if request.POST.get("number") == member.number and request.POST.get("reason"):
                self._erase(request, member)
                return redirect(page, member.pk)
            self.message_user(request, "Give the number and a reason.", messages.ERROR)
        context = {
            **self.admin_site.each_context(request),
            "member": member,
            "title": f"Erase member {member.number}",
        }
        return render(request, "promotions/erase_member.html", context)

    def _erase(self, request: HttpRequest, member: Member) -> None:
        try:
            with transaction.atomic():
                erase_member(
                    {"number": member.number},
                    by=staff(request).actor,
                    at=timezone.now(),
                    reason=request.POST["reason"][:4000],
                )
        except LoyaltyError as refusal:
            self.message_user(request, refusal.detail, messages.ERROR)
        else:
            self.message_user(request, "The person was erased.", messages.SUCCESS)

    @admin.display(description="Balances")
    def balances(self, member: Member) -> str:
        names = ["available", "pending", "locked", "debt", "earned", "redeemed", "expired"]
        rows = Account.objects.filter(member=member).select_related("point_type")
        return table(
            ["", *names],
            ([row.point_type, *(f"{getattr(row, name):,}" for name in names)] for row in rows),
        )

    @admin.display(description="The latest transactions")
    def transactions(self, member: Member) -> str:
        return transactions_of(member)

    @admin.display(description="Segments")
    def segments(self, member: Member) -> str:
        return segments_of(member, timezone.now())

    @admin.display(description="Vouchers")
    def vouchers(self, member: Member) -> str:
        return vouchers_of(member, timezone.now())

    @admin.display(description="Subscriptions")
    def subscriptions(self, member: Member) -> str:
        return subscriptions_of(member)

    @admin.display(description="Tickets")
    def tickets(self, member: Member) -> str:
        return tickets_of(member.pk)

    @admin.display(description="Consents")
    def consents(self, member: Member) -> str:
        rows = consents_of(member.pk)
        return table(
            ["category", "channel", "given", "since", "source"],
            (
                [
                    row.category,
                    row.channel or "all",
                    "yes" if row.given else "no",
                    timezone.localtime(row.at).strftime("%Y-%m-%d\N{NO-BREAK SPACE}%H:%M"),
                    row.source,
                ]
                for row in rows
            ),
        )

    @admin.display(description="Merged from")
    def merged_from(self, member: Member) -> str:
        others = [number for key, number in family_of(member.pk).items() if key != member.pk]
        return ", ".join(others) or "-"

    @admin.display(description=f"The latest {LINES}, newest first")
    def timeline(self, member: Member) -> str:
        lines = Activity.objects.filter(member__in=family_of(member.pk)).order_by("-pk")[:LINES]
        return table(
            ["when", "what", "by", "why", ""],
            (
                [
                    timezone.localtime(line.at).strftime("%Y-%m-%d\N{NO-BREAK SPACE}%H:%M"),
                    line.kind,
                    f"{line.actor_kind} {line.actor}",
                    line.reason,
                    ", ".join(f"{key}: {value}" for key, value in line.data.items()),
                ]
                for line in lines
            ),
        )
