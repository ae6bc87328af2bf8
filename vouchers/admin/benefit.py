"""Benefits in the back office."""

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from loyalty.admin_base import ReadOnlyAdmin
from vouchers.models import Benefit, BenefitUse


@admin.register(Benefit)
class BenefitAdmin(ModelAdmin):
    list_display = ["code", "name", "quota", "reset", "period", "active"]
    list_filter = ["active", "reset"]
    search_fields = ["code", "name"]

    def get_readonly_fields(self, request: HttpRequest, obj: Benefit | None = None) -> list[str]:
        """Plans and tills name a benefit by its code, which stays."""
        return ["code"] if obj else []


@admin.register(BenefitUse)
class BenefitUseAdmin(ReadOnlyAdmin):
    list_display = ["at", "benefit", "member", "quantity", "partner", "outlet", "undone_at"]
    list_filter = ["benefit"]
    list_select_related = ["benefit", "member", "partner"]
    search_fields = ["member__number"]
    ordering = ["-at"]
    show_full_result_count = False
