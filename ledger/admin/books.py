"""The back office's pages of points: read and not edited, but for the point types."""

import json
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.admin import TabularInline

from ledger.kernel.dates import parse_policy
from ledger.models import (
    Account,
    Entry,
    Lot,
    MemberPoints,
    PointLock,
    PointType,
    PointValue,
    Transaction,
)
from ledger.services.exchange_settlement import settle_exchange
from loyalty.admin_base import CachedFactsAdmin, ReadOnlyAdmin
from loyalty.errors import LoyaltyError
from partners.models import Exchange


class PointTypeForm(forms.ModelForm):
    """A point type whose expiry is a policy."""

    class Meta:
        model = PointType
        exclude: ClassVar[list[str]] = []

    def clean_expiry(self) -> str:
        text: str = self.cleaned_data["expiry"]
        try:
            parse_policy(text)
        except ValueError as error:
            raise forms.ValidationError(f"{error}.") from None
        return text


class PointValueInline(TabularInline):
    model = PointValue
    extra = 0


@admin.register(PointType)
class PointTypeAdmin(CachedFactsAdmin):
    form = PointTypeForm
    list_display = ["code", "name", "redeemable", "qualifying", "expiry", "debt_policy", "active"]
    inlines = [PointValueInline]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # Its points stay; it is made inactive.

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["code", "decimals"] if obj else []


class EntryInline(TabularInline):
    model = Entry
    extra = 0
    fields = readonly_fields = ["point_type", "lot", "source", "target", "points"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    list_display = ["posted_at", "kind", "member", "points", "partner", "outlet", "reference"]
    list_filter = ["kind"]
    list_select_related = ["member", "partner"]
    search_fields = ["reference", "=member__number"]
    ordering = ["-posted_at"]
    inlines = [EntryInline]
    exclude = ["digest", "effects", "data"]
    readonly_fields = ["figures"]
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transaction]:
        return super().get_queryset(request).defer("digest")

    @admin.display(description="Points")
    def points(self, transaction: Transaction) -> str:
        moved = (effect["points"] for effect in transaction.effects)
        return ", ".join(f"{points:+,}" if points else "0" for points in moved) or "0"

    @admin.display(description="Figures after it")
    def figures(self, transaction: Transaction) -> str:
        return format_html("<pre>{}</pre>", json.dumps(transaction.effects, indent=1))


@admin.register(MemberPoints)
class MemberPointsAdmin(ReadOnlyAdmin):
    list_display = ["number", "first_name", "last_name", "stage", "tier"]
    list_select_related = ["tier"]
    search_fields = ["number", "last_name", "cards__number"]
    fields = readonly_fields = ["number", "stage", "tier", "balances", "open_lots"]
    show_full_result_count = False

    @admin.display(description="Balances")
    def balances(self, member: MemberPoints) -> str:
        names = ["available", "pending", "locked", "debt", "earned", "redeemed", "expired"]
        rows = Account.objects.filter(member=member).select_related("point_type")
        return _table(
            ["type", *names],
            [[str(row.point_type), *(f"{getattr(row, n):,}" for n in names)] for row in rows],
        )

    @admin.display(description="Open lots, soonest-expiring first")
    def open_lots(self, member: MemberPoints) -> str:
        lots = Lot.objects.filter(member=member, open=True).order_by("expires_at", "version", "seq")
        names = ["granted", "pending", "available", "locked", "available_at", "expires_at"]
        return _table(names, [[_shown(getattr(lot, n)) for n in names] for lot in lots[:100]])


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{timezone.localtime(value):%Y-%m-%d %H:%M}"
    return "-" if value is None else f"{value:,}"


def _table(names: list[str], rows: list[list[str]]) -> str:
    head = format_html_join(
        "", "<th style='padding:0 1rem 0 0;text-align:left'>{}</th>", ((n,) for n in names)
    )
    body = format_html_join(
        "",
        "<tr>{}</tr>",
        (
            (format_html_join("", "<td style='padding:0 1rem 0 0'>{}</td>", ((c,) for c in row)),)
            for row in rows
        ),
    )
    return format_html("<table><tr>{}</tr>{}</table>", head, body)


@admin.register(Lot)
class LotAdmin(ReadOnlyAdmin):
    list_display = ["member", "point_type", "granted", "pending", "available", "locked"]
    list_display += ["available_at", "expires_at"]
    list_filter = ["open", "point_type"]
    list_select_related = ["member", "point_type"]
    search_fields = ["=member__number"]
    show_full_result_count = False


@admin.register(PointLock)
class PointLockAdmin(ReadOnlyAdmin):
    where_from = "Tills hold points by POST /transactions/lock/."
    list_display = ["id", "member", "lock_class", "until", "open", "reason"]
    list_filter = ["open", "lock_class"]
    list_select_related = ["member"]
    search_fields = ["=member__number"]


@admin.register(Exchange)
class ExchangeAdmin(ReadOnlyAdmin):
    """Points that bought units of a partner. What failed gives the points back."""

    list_display = ["sent_at", "partner", "units", "points", "point_type", "status", "settled_at"]
    list_filter = ["status", "partner"]
    list_select_related = ["partner"]
    ordering = ["-sent_at"]
    actions = ["say_done", "say_failed"]

    def has_settle_permission(self, request: HttpRequest) -> bool:
        """Exchanges are read by many and settled by few, though nobody edits a row."""
        return request.user.has_perm("partners.change_exchange")

    @admin.action(description="The units are there", permissions=["settle"])
    def say_done(self, request: HttpRequest, queryset: QuerySet[Exchange]) -> None:
        self._say(request, queryset, Exchange.Status.DONE)

    @admin.action(description="It failed: give the points back", permissions=["settle"])
    def say_failed(self, request: HttpRequest, queryset: QuerySet[Exchange]) -> None:
        self._say(request, queryset, Exchange.Status.FAILED)

    def _say(self, request: HttpRequest, queryset: QuerySet[Exchange], status: str) -> None:
        reason = f"Said by {request.user.get_username()}."
        for row in queryset:
            try:
                settle_exchange(row.pk, status, partner_id=None, reason=reason, at=timezone.now())
            except LoyaltyError as error:
                self.message_user(request, f"{row}: {error.detail}", messages.ERROR)
        self.message_user(request, f"{queryset.count()} looked at.", messages.SUCCESS)
