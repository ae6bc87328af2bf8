"""The back office's page of the ladder."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from loyalty.admin_base import CachedFactsAdmin
from members.models import Tier


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
