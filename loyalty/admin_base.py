"""Bases of the back office's pages."""

from typing import Any, ClassVar

from django.http import HttpRequest
from unfold.admin import ModelAdmin


class ReadOnlyAdmin(ModelAdmin):
    """A page that shows and never changes."""

    actions: ClassVar[list[str]] = []

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CachedFactsAdmin(ModelAdmin):
    """A page of what processes keep in memory: a change moves the epoch, so that they read anew."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        from loyalty.services import epoch

        super().save_related(request, form, formsets, change)
        epoch.bump()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        from loyalty.services import epoch

        super().delete_model(request, obj)
        epoch.bump()

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        from loyalty.services import epoch

        super().delete_queryset(request, queryset)
        epoch.bump()
