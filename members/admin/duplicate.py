"""The back office's work list of members who may be one person."""

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin

from members.models import DuplicateFlag, Member
from members.services.duplicates import resolve_flag


@admin.register(DuplicateFlag)
class DuplicateFlagAdmin(ModelAdmin):
    where_from = "Who enrols with the contacts of another member is told here."
    list_display = ["flagged_at", "first", "second", "matched", "status", "resolved_by", "merge"]
    list_display_links = None
    list_filter = ["status"]
    list_select_related = ["earlier", "later"]
    search_fields = ["=earlier__number", "=later__number"]
    ordering = ["status", "flagged_at"]
    actions = ["dismiss"]
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [field.name for field in DuplicateFlag._meta.fields]

    @admin.display(description="Earlier member")
    def first(self, row: DuplicateFlag) -> str:
        return _link(row.earlier)

    @admin.display(description="Later member")
    def second(self, row: DuplicateFlag) -> str:
        return _link(row.later)

    @admin.display(description="")
    def merge(self, row: DuplicateFlag) -> str:
        if row.status != DuplicateFlag.Status.OPEN:
            return ""
        url = reverse("admin:members_member_merge", args=[row.later_id])
        return format_html('<a href="{}?into={}">Merge…</a>', url, row.earlier.number)

    @admin.action(description="These are two persons", permissions=["change"])
    def dismiss(self, request: HttpRequest, queryset: QuerySet[DuplicateFlag]) -> None:
        by = request.user.get_username()
        with transaction.atomic():
            for row in queryset:
                resolve_flag(row, DuplicateFlag.Status.DISMISSED, by=by, at=timezone.now())


def _link(member: Member) -> str:
    url = reverse("admin:members_member_change", args=[member.pk])
    name = f"{member.first_name} {member.last_name}".strip()
    return format_html('<a href="{}">{} {}</a>', url, member.number, name)
