"""The back office's pages of master data."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from loyalty.errors import ValidationFailed
from loyalty.models import Master, MasterEntity
from loyalty.services import masters


@admin.register(MasterEntity)
class MasterEntityAdmin(ModelAdmin):
    list_display = ["code", "name"]


class MasterForm(forms.ModelForm):
    """A master, which cannot stand below itself."""

    class Meta:
        model = Master
        fields = [
            "entity",
            "code",
            "name",
            "parent",
            "attributes",
            "translations",
            "valid_from",
            "valid_to",
            "retired",
        ]

    def clean_parent(self) -> Master | None:
        parent: Master | None = self.cleaned_data["parent"]
        try:
            masters.check_parent(self.instance, parent)
        except ValidationFailed as error:
            raise forms.ValidationError(error.errors[0].message) from None
        return parent


@admin.register(Master)
class MasterAdmin(ModelAdmin):
    form = MasterForm
    list_display = ["code", "name", "entity", "category_path", "retired"]
    list_filter = ["entity", "retired"]
    list_select_related = ["entity"]
    search_fields = ["code", "name"]
    autocomplete_fields = ["parent"]
    readonly_fields = ["path"]
    actions = ["retire"]
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Master | None = None) -> list[str]:
        """Promotions and purchases name a master by its code, which stays."""
        return [*self.readonly_fields, *(["entity", "code"] if obj else [])]

    @admin.display(description="Path")
    def category_path(self, master: Master) -> str:
        return " / ".join(master.path)

    def save_model(self, request: HttpRequest, obj: Master, form: Any, change: bool) -> None:
        masters.save(obj)

    @admin.action(description="Retire; purchases keep what they earned", permissions=["change"])
    def retire(self, request: HttpRequest, queryset: QuerySet[Master]) -> None:
        count = queryset.update(retired=True)
        self.message_user(request, f"{count} retired.", messages.SUCCESS)
