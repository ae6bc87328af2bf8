"""The back office's pages of members."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from loyalty.admin_base import CachedFactsAdmin
from members.models import Alias, Card, Member, Tier


@admin.register(Tier)
class TierAdmin(CachedFactsAdmin):
    list_display = ["code", "name", "rank", "is_base"]
    ordering = ["rank"]


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
    readonly_fields = ["number", "enrolled_by", "joined_at", "merged_into"]
    inlines = [CardInline, AliasInline]
    show_full_result_count = False

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
