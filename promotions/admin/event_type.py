"""The back office's page of event types."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from loyalty.admin_base import CachedFactsAdmin
from loyalty.attributes import check_schema
from promotions.models import EventType


class EventTypeForm(forms.ModelForm):
    """An event type whose schema is one, and leaves Laurel its own names."""

    class Meta:
        model = EventType
        fields = [
            "code",
            "name",
            "description",
            "translations",
            "schema",
            "partners",
            "cooldown",
            "once_per",
            "backdated",
            "two_sided",
            "active",
        ]

    def clean_schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = self.cleaned_data["schema"] or {}
        if faults := check_schema(schema, pointer=""):
            raise forms.ValidationError([f"{each.pointer}: {each.message}" for each in faults])
        if "role" in schema:
            raise forms.ValidationError("/role: Laurel itself says the role of a side.")
        return schema


@admin.register(EventType)
class EventTypeAdmin(CachedFactsAdmin):
    form = EventTypeForm
    list_display = ["code", "name", "cooldown", "once_per", "two_sided", "own", "active"]
    list_filter = ["active", "own"]
    search_fields = ["code", "name"]
    filter_horizontal = ["partners"]
    fieldsets = [
        (None, {"fields": ["code", "name", "description", "translations", "active"]}),
        ("What it holds", {"fields": ["schema", "two_sided"]}),
        (
            "Who sends it, and how often it is rewarded",
            {"fields": ["partners", "backdated", "cooldown", "once_per"]},
        ),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: EventType | None = None) -> list[str]:
        """A code stays what promotions name; what Laurel itself sends keeps its form."""
        if obj is None:
            return []
        ours = ["schema", "two_sided", "partners", "backdated", "cooldown", "once_per", "active"]
        return ["code", *(ours if obj.own else [])]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # It is ended by `active`: promotions and postings name it.
