"""The back office's pages of members."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from loyalty.admin_base import CachedFactsAdmin
from members.models import Alias, Card, Member, Tier


@admin.register(Tier)
class TierAdmin(CachedFactsAdmin):
    list_display = ["code", "name", "rank", "is_base"]
    ordering = ["rank"]
    readonly_fields = ["is_base"]  # There is always one: new members begin there.

    def get_readonly_fields(self, request: HttpRequest, obj: Tier | None = None) -> list[str]:
        """Promotions name a tier by its code, which stays."""
        return [*self.readonly_fields, *(["code"] if obj else [])]

    def has_delete_permission(self, request: HttpRequest, obj: Tier | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.is_base)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Tier]) -> None:
        super().delete_queryset(request, queryset.filter(is_base=False))


# Final, and reached by services that see to the points; nobody picks them from a list.
FINAL = (Member.Stage.MERGED, Member.Stage.CLOSED)


class CardInline(TabularInline):
    model = Card
    extra = 0
    fields = ["number", "status", "issued_at", "closed_at"]
    readonly_fields = ["number", "issued_at", "closed_at"]


class AliasInline(TabularInline):
    model = Alias
    extra = 0


@admin.register(Member)
class MemberAdmin(ModelAdmin):
    list_display = ["number", "first_name", "last_name", "stage", "tier", "joined_at"]
    list_filter = ["stage", "tier"]
    list_select_related = ["tier"]
    search_fields = ["number", "last_name", "cards__number"]
    readonly_fields = [
        "number",
        "enrolled_by",
        "joined_at",
        "merged_into",
        "version",
        "stage_since",
        "tier_since",
        "email_confirmed_at",
        "phone_confirmed_at",
        "erased_at",
    ]
    raw_id_fields = ["referrer"]
    inlines = [CardInline, AliasInline]
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Member | None = None) -> list[str]:
        over = obj is not None and obj.stage in FINAL
        return [*self.readonly_fields, *(["stage"] if over else [])]

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "stage":
            kwargs["choices"] = [each for each in Member.Stage.choices if each[0] not in FINAL]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # Members are enrolled.

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # Their books stay.


@admin.register(Card)
class CardAdmin(ModelAdmin):
    list_display = ["number", "member", "status", "issued_at"]
    list_filter = ["status"]
    list_select_related = ["member"]
    search_fields = ["number", "member__number"]
    readonly_fields = ["number", "member", "successor", "issued_at"]
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
