"""The back office's pages of master data."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin

from loyalty.attributes import check_schema, complete, validate
from loyalty.errors import SchemaInUse, ValidationFailed
from loyalty.models import Master, MasterEntity
from loyalty.services import masters


class MasterEntityForm(forms.ModelForm):
    """An entity whose schema is one, and does not break the records that are there."""

    class Meta:
        model = MasterEntity
        fields = ["code", "name", "parent_entity", "schema"]

    def clean_schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = self.cleaned_data["schema"] or {}
        if faults := check_schema(schema, pointer=""):
            raise forms.ValidationError([f"{each.pointer}: {each.message}" for each in faults])
        if self.instance.pk:
            try:
                masters.check_records(MasterEntity.objects.get(pk=self.instance.pk), schema)
            except SchemaInUse as error:
                raise forms.ValidationError(error.detail) from None
        return schema

    def clean_parent_entity(self) -> MasterEntity | None:
        above: MasterEntity | None = self.cleaned_data["parent_entity"]
        try:
            masters.check_no_circle(self.instance.code, above)
        except ValidationFailed as error:
            raise forms.ValidationError(error.errors[0].message) from None
        return above


@admin.register(MasterEntity)
class MasterEntityAdmin(ModelAdmin):
    form = MasterEntityForm
    list_display = ["code", "name", "parent_entity", "version"]
    list_select_related = ["parent_entity"]
    readonly_fields = ["version"]

    def get_readonly_fields(
        self, request: HttpRequest, obj: MasterEntity | None = None
    ) -> list[str]:
        return [*self.readonly_fields, *(["code"] if obj else [])]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            obj.version += 1
        super().save_model(request, obj, form, change)


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
        ]

    def clean_parent(self) -> Master | None:
        parent: Master | None = self.cleaned_data["parent"]
        try:
            masters.check_parent(self.instance, parent)
        except ValidationFailed as error:
            raise forms.ValidationError(error.errors[0].message) from None
        return parent

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        entity = self.instance.entity if self.instance.pk else cleaned.get("entity")
        attributes = cleaned.get("attributes")
        if entity is not None and attributes is not None:
            faults = validate(entity.schema, attributes, pointer="")
            for each in faults:
                self.add_error("attributes", f"{each.pointer}: {each.message}")
            if not faults:
                cleaned["attributes"] = complete(entity.schema, attributes)
        return cleaned


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
        count = queryset.filter(retired=False).update(
            retired=True, retired_at=timezone.now(), version=F("version") + 1
        )
        self.message_user(request, f"{count} retired.", messages.SUCCESS)
