"""The back office's pages of sweepstakes: written as drafts, published, and drawn."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from loyalty.admin_base import ReadOnlyAdmin
from loyalty.errors import LoyaltyError
from loyalty.services import jobs
from promotions import tasks
from promotions.admin.tables import table
from promotions.errors import SweepstakeForbids
from promotions.models import Draw, Prize, Sweepstake, Ticket
from promotions.queries.sweepstakes import standing, totals_of, winners_of
from promotions.services.rewarding import drawing, sweepstakes

# What may still be put in better words once people play by it.
WORDS = ["name", "text", "terms_url", "translations", "visible", "tells_total"]
LISTS = ["segments", "tiers", "stages", "countries"]
RULES = [
    "opens_at",
    "closes_at",
    "draws_at",
    "free_per_member",
    "point_type",
    "points",
    "at_most",
    "one_prize_each",
    "min_age",
    *LISTS,
]
SHOWN = ["status", "tickets", "published_at", "listed_at", "commitment", "drawn", "winners"]


class TextsForm(forms.ModelForm):
    """Something with translations: an object, also where nothing is translated."""

    def clean_translations(self) -> dict[str, Any]:
        found = self.cleaned_data["translations"]
        if found in (None, ""):
            return {}
        if not isinstance(found, dict):
            raise forms.ValidationError('Give {"de": {"name": "…"}}: for each language its texts.')
        return found


class PrizeForm(TextsForm):
    """A prize."""

    class Meta:
        model = Prize
        fields = ["place", "quantity", "name", "text", "translations", "voucher_type"]
        widgets = {"translations": UnfoldAdminTextareaWidget(attrs={"rows": 1})}


class SweepstakeForm(TextsForm):
    """A sweepstake; what contradicts itself is said at its field."""

    class Meta:
        model = Sweepstake
        fields = ["code", *WORDS, *RULES]
        widgets = {
            "text": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
            **{name: UnfoldAdminTextInputWidget() for name in LISTS},
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        opens, closes, draws = (cleaned.get(f"{name}_at") for name in ("opens", "closes", "draws"))
        if opens and closes and closes <= opens:
            self.add_error("closes_at", "It must close after it opens.")
        if closes and draws and draws < closes:
            self.add_error("draws_at", "It is drawn once it is closed.")
        points, kind = cleaned.get("points"), cleaned.get("point_type")
        if "points" in self.fields and (points is None) != (kind is None):
            self.add_error("points", "A price has points and their type.")
        if points is not None and points < 1:
            self.add_error("points", "At least one point.")
        for name in LISTS:
            found = cleaned.get(name) or []
            if any(each != each.strip().upper() or not each for each in found):
                self.add_error(name, "Codes in capitals, with commas between.")
        return cleaned


class PrizeInline(TabularInline):
    model = Prize
    form = PrizeForm
    extra = 0

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _draft(obj) and super().has_change_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _draft(obj) and super().has_add_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _draft(obj) and super().has_delete_permission(request, obj)


def _draft(sweepstake: Sweepstake | None) -> bool:
    return sweepstake is None or sweepstake.published_at is None


@admin.register(Sweepstake)
class SweepstakeAdmin(ModelAdmin):
    form = SweepstakeForm
    list_display = ["code", "name", "status", "tickets", "opens_at", "closes_at", "draws_at"]
    list_select_related = ["draw"]
    search_fields = ["code", "name"]
    ordering = ["-opens_at"]
    inlines = [PrizeInline]
    actions = ["publish", "withdraw", "draw_now", "issue_prizes"]

    def get_fieldsets(self, request: HttpRequest, obj: Sweepstake | None = None) -> Any:
        rules = {"fields": RULES, "description": "Lists of codes have commas between them."}
        found = [("What members read", {"fields": ["code", *WORDS]}), ("Rules", rules)]
        return found if obj is None else [("How it stands", {"fields": SHOWN}), *found]

    def get_readonly_fields(self, request: HttpRequest, obj: Sweepstake | None = None) -> list[str]:
        """The rules of a published sweepstake stay as everybody knows them."""
        return SHOWN if _draft(obj) else [*SHOWN, "code", *RULES]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _draft(obj) and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> Any:
        found = super().get_actions(request)
        found.pop("delete_selected", None)  # One by one, and drafts only.
        return found

    @admin.display(description="Status")
    def status(self, sweepstake: Sweepstake) -> str:
        return Sweepstake.Status(standing(sweepstake, timezone.now())).label

    @admin.display(description="Tickets")
    def tickets(self, sweepstake: Sweepstake) -> str:
        return f"{totals_of([sweepstake.pk]).get(sweepstake.pk, 0):,}"

    @admin.display(description="Drawn")
    def drawn(self, sweepstake: Sweepstake) -> str:
        draw: Draw | None = getattr(sweepstake, "draw", None)
        if draw is None:
            return "-"
        rows = [
            ["at", timezone.localtime(draw.drawn_at).strftime("%Y-%m-%d %H:%M")],
            ["tickets", f"{draw.tickets:,}"],
            ["seed", draw.seed],
            ["digest of the list", draw.list_digest],
            ["algorithm", draw.algorithm],
        ]
        return table(["", ""], rows)

    @admin.display(description="Winners")
    def winners(self, sweepstake: Sweepstake) -> str:
        draw: Draw | None = getattr(sweepstake, "draw", None)
        if draw is None:
            return "-"
        rows = winners_of([draw.pk]).get(draw.pk, [])
        return table(
            ["", "prize", "ticket", "member", "voucher"],
            (
                [
                    row.position,
                    row.prize.name,
                    row.ticket.number,
                    row.ticket.member,
                    ("issued" if row.voucher else "out of stock")
                    if row.prize.voucher_type_id
                    else "",
                ]
                for row in rows
            ),
        )

    @admin.action(description="Publish: from then on the rules are fixed", permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Sweepstake]) -> None:
        def act(found: Sweepstake, at: datetime) -> str:
            with transaction.atomic():
                sweepstakes.publish(found.pk, at=at)
            return "published"

        self._each(request, queryset, act)

    @admin.action(description="Withdraw: nobody enters, nothing is drawn", permissions=["change"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Sweepstake]) -> None:
        def act(found: Sweepstake, at: datetime) -> str:
            with transaction.atomic():
                sweepstakes.withdraw(found.pk, at=at)
            return "withdrawn"

        self._each(request, queryset, act)

    @admin.action(description="Draw those whose time has come", permissions=["change"])
    def draw_now(self, request: HttpRequest, queryset: QuerySet[Sweepstake]) -> None:
        def act(found: Sweepstake, at: datetime) -> str:
            if getattr(found, "draw", None) is not None:
                raise SweepstakeForbids("It was drawn before.")
            drawing.check_drawable(found, at)
            with transaction.atomic():
                job = tasks.start_draw(found.pk, at=at)
            jobs.restart(job)  # One that failed goes on from where it stands.
            return "is being drawn; its job shows how far it is"

        self._each(request, queryset, act)

    @admin.action(description="Issue vouchers that were out of stock", permissions=["change"])
    def issue_prizes(self, request: HttpRequest, queryset: QuerySet[Sweepstake]) -> None:
        def act(found: Sweepstake, at: datetime) -> str:
            draw: Draw | None = getattr(found, "draw", None)
            if draw is None:
                raise SweepstakeForbids("It was not drawn yet.")
            return f"{drawing.award_vouchers(draw, at=at)} issued"

        self._each(request, queryset, act)

    def _each(
        self,
        request: HttpRequest,
        queryset: QuerySet[Sweepstake],
        act: Callable[[Sweepstake, datetime], str],
    ) -> None:
        """Do something with each sweepstake, and say what came of it."""
        for found in queryset.select_related("draw"):
            try:
                done = act(found, timezone.now())
            except LoyaltyError as refusal:
                self.message_user(request, f"{found.code}: {refusal.detail}", messages.ERROR)
            else:
                self.message_user(request, f"{found.code}: {done}.", messages.SUCCESS)


@admin.register(Ticket)
class TicketAdmin(ReadOnlyAdmin):
    list_display = ["number", "sweepstake", "member", "source", "partner", "at", "voided_at"]
    list_filter = ["sweepstake", "source", ("voided_at", admin.EmptyFieldListFilter)]
    list_select_related = ["sweepstake", "member", "partner"]
    search_fields = ["=member__number", "=number"]
    search_help_text = "A member's number, or a ticket's."
    ordering = ["-id"]
    show_full_result_count = False


def tickets_of(member_id: int) -> str:
    """Return what a member holds of sweepstakes, as a table."""
    rows = (
        Ticket.objects.filter(member=member_id)
        .values_list("sweepstake__code")
        .annotate(
            held=Count("pk", filter=Q(voided_at=None)),
            void=Count("pk", filter=~Q(voided_at=None)),
        )
        .order_by("sweepstake__code")
    )
    return table(["sweepstake", "tickets", "void"], rows)
