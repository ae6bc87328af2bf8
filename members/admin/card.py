"""The back office's pages of cards and of the ranges their numbers are from."""

import copy
from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin

from loyalty.admin_base import ReadOnlyAdmin
from loyalty.caller import Actor
from loyalty.errors import LoyaltyError, ValidationFailed
from loyalty.models import User
from loyalty.services.use_case import use_case
from members.models import Card, CardRange
from members.services import card_ranges, card_replacement, cards

REASON = "In the back office."


def staff(request: HttpRequest) -> Actor:
    """Return who is at work, as histories name a person of the staff."""
    return Actor.staff(cast(User, request.user).username)


@admin.register(Card)
class CardAdmin(ReadOnlyAdmin):
    """Cards are read here; what becomes of them, the actions do, as the API does it."""

    list_display = ["number", "member", "status", "range", "successor", "issued_at", "reported_at"]
    list_filter = ["status", "range"]
    list_select_related = ["member", "range", "successor"]
    search_fields = ["number", "member__number"]
    raw_id_fields = ["member", "successor"]
    show_full_result_count = False
    actions = [
        "replace_lost",
        "replace_stolen",
        "replace_damaged",
        "report_lost",
        "report_stolen",
        "block",
        "unblock",
        "close",
    ]

    def has_run_permission(self, request: HttpRequest) -> bool:
        """A card is changed by what is done with it; nobody edits a row."""
        return request.user.has_perm("members.change_card")

    @admin.action(description="Replace: lost", permissions=["run"])
    def replace_lost(self, request: HttpRequest, queryset: QuerySet[Card]) -> None:
        self._replace(request, queryset, card_replacement.LOST)

    @admin.action(description="Replace: stolen", permissions=["run"])
    def replace_stolen(self, request: HttpRequest, queryset: QuerySet[Card]) -> None:
        self._replace(request, queryset, card_replacement.STOLEN)

    @admin.action(description="Replace: damaged", permissions=["run"])
    def replace_damaged(self, request: HttpRequest, queryset: QuerySet[Card]) -> None:
        self._replace(request, queryset, card_replacement.DAMAGED)

    @admin.action(description="Report lost", permissions=["run"])
    def report_lost(self, request: HttpRequest, queryset: QuerySet[Card]) -> None:
        self._report(request, queryset, Card.Status.LOST)

    @admin.action(description="Report stolen", permissions=["run"])
    def report_stolen(self, request: HttpRequest, queryset: QuerySet[Card]) -> None:
        self._report(request, queryset, Card.Status.STOLEN)

    @admin.action(description="Block", permissions=["run"])
    def block(self, request: HttpRequest, queryset: QuerySet[Card]) -> None:
        self._report(request, queryset, Card.Status.BLOCKED)

    @admin.action(description="Let work again", permissions=["run"])
    def unblock(self, request: HttpRequest, queryset: QuerySet[Card]) -> None:
        self._report(request, queryset, Card.Status.ACTIVE)

    @admin.action(description="Close for ever", permissions=["run"])
    def close(self, request: HttpRequest, queryset: QuerySet[Card]) -> None:
        self._report(request, queryset, Card.Status.CLOSED)

    def _replace(self, request: HttpRequest, queryset: QuerySet[Card], reason: str) -> None:
        replace = use_case(card_replacement.replace_card)

        def act(card: Card) -> str:
            new = replace(
                card.number,
                None,
                reason=reason,
                by=staff(request),
                at=timezone.now(),
                note=REASON,
            )
            return f"{card.number} is replaced by {new.number}."

        self._each(request, queryset, act)

    def _report(self, request: HttpRequest, queryset: QuerySet[Card], status: str) -> None:
        report = use_case(cards.report_card)

        def act(card: Card) -> str:
            report(card.number, status, reason=REASON, by=staff(request), at=timezone.now())
            return f"{card.number} is {status}."

        self._each(request, queryset, act)

    def _each(
        self, request: HttpRequest, queryset: QuerySet[Card], act: Callable[[Card], str]
    ) -> None:
        """Do one thing with each card, in a transaction of its own, and tell what came of it."""
        for card in queryset:
            try:
                self.message_user(request, act(card), messages.SUCCESS)
            except LoyaltyError as refusal:
                text = f"{card.number}: {refusal.detail}"
                self.message_user(request, text, messages.ERROR)


class CardRangeForm(forms.ModelForm):
    """Ranges do not overlap; a table lock keeps it so until the page's transaction ends."""

    class Meta:
        model = CardRange
        fields = [
            "code",
            "name",
            "first",
            "last",
            "check_digit",
            "preprinted",
            "partner",
            "active",
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            wanted = copy.copy(self.instance)
            for name, value in cleaned.items():
                setattr(wanted, name, value)
            try:
                card_ranges.check_range(wanted)
            except ValidationFailed as refusal:
                for error in refusal.errors:
                    self.add_error(error.pointer.strip("/"), error.message)
        return cleaned


@admin.register(CardRange)
class CardRangeAdmin(ModelAdmin):
    """Ranges of card numbers, with how many numbers are left."""

    form = CardRangeForm
    list_display = ["code", "name", "first", "last", "preprinted", "partner", "left", "active"]
    list_filter = ["active", "preprinted"]
    list_select_related = ["partner"]
    search_fields = ["code", "name"]

    @admin.display(description="Left")
    def left(self, source: CardRange) -> str:
        used = source.cards.count() if source.preprinted else int(source.issued)
        return f"{source.capacity - used:,} of {source.capacity:,}"

    def get_readonly_fields(self, request: HttpRequest, obj: CardRange | None = None) -> list[str]:
        """What its cards were made by stays as long as there are any."""
        if obj is None or (not obj.issued and not obj.cards.exists()):
            return []
        return ["code", "first", "check_digit", "preprinted"]

    def save_model(self, request: HttpRequest, obj: CardRange, form: Any, change: bool) -> None:
        card_ranges.save_range(obj)
