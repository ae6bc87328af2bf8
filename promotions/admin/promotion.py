"""The back office's pages of promotions: an edit makes a version."""

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminTextareaWidget

from loyalty.admin_base import ReadOnlyAdmin
from loyalty.errors import LoyaltyError, ValidationFailed
from promotions.models import Evaluation, Promotion, PromotionStatus, PromotionVersion
from promotions.services.authoring import (
    change_status,
    read_definition,
    write_promotion,
)
from promotions.services.rule_tests import run_tests

EXAMPLE = {
    "name": "Double points on coffee",
    "award": {"kind": "MULTIPLIER", "type": "PTS", "factor": "2"},
    "lines": {"include": {"category": ["COFFEE"]}},
}


class PromotionForm(forms.ModelForm):
    """A promotion with its definition, in the form that the API takes."""

    definition = forms.JSONField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 28, "style": "font-family:monospace"}),
        help_text="What the promotion does; docs/evaluation.md explains every part.",
    )

    class Meta:
        model = Promotion
        fields = ["code", "status"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        content: Any = EXAMPLE
        if self.instance.pk:
            self.fields["code"].disabled = True
            last = self.instance.versions.order_by("number").last()
            content = last.definition if last else EXAMPLE
        self.fields["definition"].initial = json.loads(json.dumps(content))
        self.fields["definition"].widget.format_value = _pretty

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        content = cleaned.get("definition")
        if not isinstance(content, dict):
            self.add_error("definition", "Give a JSON object.")
            return cleaned
        try:
            definition = read_definition(content)
            if cleaned.get("status") == Promotion.Status.LIVE:
                run_tests(definition)
        except ValidationFailed as error:
            for each in error.errors:
                self.add_error("definition", f"{each.pointer}: {each.message}")
        except LoyaltyError as error:
            self.add_error("definition", error.detail)
        return cleaned


def _pretty(value: Any) -> str:
    content = json.loads(value) if isinstance(value, str) else value
    return json.dumps(content, indent=2, ensure_ascii=False)


class VersionInline(TabularInline):
    model = PromotionVersion
    extra = 0
    can_delete = False
    fields = readonly_fields = ["number", "effective_from", "created_by", "content"]
    ordering = ["-number"]

    @admin.display(description="Definition")
    def content(self, version: PromotionVersion) -> str:
        text = json.dumps(version.definition, indent=1, ensure_ascii=False)
        return format_html("<details><summary>show</summary><pre>{}</pre></details>", text)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class StatusInline(TabularInline):
    model = PromotionStatus
    extra = 0
    can_delete = False
    fields = readonly_fields = ["status", "since", "reason"]
    ordering = ["-since"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Promotion)
class PromotionAdmin(ModelAdmin):
    form = PromotionForm
    list_display = ["code", "name", "status"]
    list_filter = ["status"]
    search_fields = ["code", "name"]
    inlines = [VersionInline, StatusInline]
    actions = ["go_live", "pause", "end"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # It is ended: points lead to its versions for ever.

    def save_model(self, request: HttpRequest, obj: Promotion, form: Any, change: bool) -> None:
        written = write_promotion(
            obj.code,
            form.cleaned_data["definition"],
            status=form.cleaned_data["status"],
            at=timezone.now(),
            by=request.user.get_username(),
        )
        obj.pk, obj.name = written.promotion.pk, written.promotion.name
        for warning in written.warnings:
            self.message_user(request, warning, messages.WARNING)

    @admin.action(description="Put live", permissions=["change"])
    def go_live(self, request: HttpRequest, queryset: QuerySet[Promotion]) -> None:
        self._set(request, queryset, Promotion.Status.LIVE)

    @admin.action(description="Pause", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Promotion]) -> None:
        self._set(request, queryset, Promotion.Status.PAUSED)

    @admin.action(description="End", permissions=["change"])
    def end(self, request: HttpRequest, queryset: QuerySet[Promotion]) -> None:
        self._set(request, queryset, Promotion.Status.ENDED)

    def _set(self, request: HttpRequest, queryset: QuerySet[Promotion], status: str) -> None:
        by = request.user.get_username()
        for promotion in queryset:
            try:
                with transaction.atomic():
                    written = change_status(promotion.code, status, at=timezone.now(), by=by)
            except LoyaltyError as error:
                self.message_user(request, f"{promotion.code}: {error.detail}", messages.ERROR)
                continue
            for warning in written.warnings:
                self.message_user(request, f"{promotion.code}: {warning}", messages.WARNING)


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnlyAdmin):
    list_display = ["transaction_id", "member_id", "engine_version"]
    show_full_result_count = False
