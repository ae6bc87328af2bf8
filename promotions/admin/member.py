"""The back office's page of a member."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from members.models import Alias, Card, Member

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
