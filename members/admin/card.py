"""The back office's page of cards."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from members.models import Card


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
