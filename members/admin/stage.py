"""The back office's page of what members of each stage may do."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from loyalty.admin_base import CachedFactsAdmin
from members.models import StagePermission


@admin.register(StagePermission)
class StagePermissionAdmin(CachedFactsAdmin):
    list_display = ["stage", "earn", "redeem", "sign_in", "contact"]
    readonly_fields = ["stage"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # The three stages that a programme may change are there.

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
