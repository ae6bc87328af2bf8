"""The back office's pages of promotions: a builder, in which an edit makes a version."""

import json
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from loyalty.admin_base import ReadOnlyAdmin
from loyalty.errors import LoyaltyError
from promotions.admin.history_pages import HistoryPages
from promotions.admin.promotion_form import PromotionForm, last_definition
from promotions.admin.promotion_pages import PromotionPages
from promotions.admin.try_form import TryForm
from promotions.models import (
    Evaluation,
    Promotion,
    PromotionApproval,
    PromotionStatus,
    PromotionVersion,
)
from promotions.services.writing.authoring import (
    Written,
    change_status,
    read_definition,
    write_promotion,
)
from promotions.services.writing.linting import lint
from promotions.services.writing.waiting import WAITING, waiting_of

COLORS = {"DRAFT": "info", "LIVE": "success", "PAUSED": "warning", "ENDED": "danger"}


class VersionInline(TabularInline):
    model = PromotionVersion
    verbose_name_plural = "Versions"
    extra = 0
    can_delete = False
    tab = True
    fields = readonly_fields = ["number", "effective_from", "created_by", "created_at"]
    ordering = ["-number"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class StatusInline(TabularInline):
    model = PromotionStatus
    verbose_name_plural = "History"
    extra = 0
    can_delete = False
    tab = True
    fields = readonly_fields = ["status", "since", "reason"]
    ordering = ["-since", "-pk"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Promotion)
class PromotionAdmin(PromotionPages, HistoryPages, ModelAdmin):
    form = PromotionForm
    list_display = ["code", "name", "shown_status", "gives", "runs"]
    list_filter = ["status"]
    search_fields = ["code", "name"]
    ordering = ["code"]
    inlines: ClassVar[list[Any]] = [VersionInline, StatusInline]
    actions = ["go_live", "pause", "end"]
    actions_detail: ClassVar[list[Any]] = [
        *("approve_page", "reject_page", "live_page", "pause_page", "end_page"),
        *("history_page", "compare_page"),
    ]
    change_form_outer_before_template = "promotions/promotion_head.html"
    change_form_after_template = "promotions/promotion_try.html"
    fieldsets: ClassVar[Any] = [
        (None, {"fields": [("code", "name"), ("trigger", "event")]}),
        ("Gives", {"classes": ["tab"], "fields": [
            ("award__kind", "award__type"), ("award__points", "award__per"), "award__factor",
            "award__bands", ("award__voucher_type", "award__sweepstake"), "award__quantity",
            ("award__rounding", "award__scope"), "pending",
            ("expiry__after", "expiry__from"), ("expiry__round_up", "funded_by"),
        ]}),
        ("Lines", {"classes": ["tab"], "fields": [
            "lines__include", "lines__exclude", ("minimum__amount", "minimum__quantity"),
            "condition", "not_tenders",
        ]}),
        ("Who", {"classes": ["tab"], "fields": [
            ("audience__segments", "audience__not_segments"),
            ("audience__tiers", "audience__stages"),
            ("audience__partners", "audience__outlets"), ("audience__channels", "coupons"),
            "audience__guests",
        ]}),
        ("When", {"classes": ["tab"], "fields": [
            "active_from", "active_to", "weekdays", ("hours__from", "hours__to"),
            "effective_from",
        ]}),
        ("Limits", {"classes": ["tab"], "fields": [
            "limits", ("budget__at_most", "budget__measure"), "budget__then",
        ]}),
        ("Combination", {"classes": ["tab"], "fields": [
            ("combination__priority", "combination__group"),
            ("combination__stackable", "combination__base"), "combination__multiply",
        ]}),
        ("Texts", {"classes": ["tab"], "fields": ["visible", "texts"]}),
        ("Rule tests", {"classes": ["tab"], "fields": ["tests"]}),
        ("Expert", {"classes": ["tab"], "fields": ["use_expert", "expert"]}),
    ]  # fmt: skip

    class Media:
        js = ["promotions/builder.js"]

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("try/", self.admin_site.admin_view(self.try_page), name="promotions_try"),
            path("tests/", self.admin_site.admin_view(self.tests_page), name="promotions_tests"),
            *self.history_urls(),
        ]
        return [*own, *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: Promotion | None = None) -> Any:
        """Show those who may only look the definition as it is kept."""
        if obj is not None and not self.has_change_permission(request, obj):
            return [(None, {"fields": ["code", "name", "status", "kept"]})]
        return super().get_fieldsets(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Promotion | None = None) -> list[str]:
        looks = obj is not None and not self.has_change_permission(request, obj)
        return ["name", "status", "kept"] if looks else []

    def get_inlines(self, request: HttpRequest, obj: Promotion | None) -> list[Any]:
        return self.inlines if obj else []

    @admin.display(description="Definition")
    def kept(self, promotion: Promotion) -> str:
        text = json.dumps(last_definition(promotion), indent=2, ensure_ascii=False)
        return format_html("<pre>{}</pre>", text)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Promotion]:
        versions = PromotionVersion.objects.filter(promotion=OuterRef("pk")).order_by("-number")
        waiting = PromotionApproval.objects.filter(promotion=OuterRef("pk"), state=WAITING)
        found: QuerySet[Promotion] = super().get_queryset(request)
        return found.annotate(
            last=Subquery(versions.values("definition")[:1]), waits=Exists(waiting)
        )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # It is ended: points lead to its versions for ever.

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        promotion = Promotion.objects.filter(pk=object_id).first() if object_id else None
        context = {"try_form": TryForm(), "head": _head(promotion), **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, context)

    def save_model(self, request: HttpRequest, obj: Promotion, form: Any, change: bool) -> None:
        written = write_promotion(
            obj.code,
            form.content(),
            status=form.instance.status,
            at=timezone.now(),
            by=request.user.get_username(),
        )
        obj.pk, obj.name = written.promotion.pk, written.promotion.name
        self._tell(request, written)

    def _tell(self, request: HttpRequest, written: Written) -> None:
        promotion = written.promotion
        if written.approval is not None and written.approval.state == WAITING:
            text = f"{promotion.code}: waits for a second person; until then all stays as it is."
            self.message_user(request, text, messages.WARNING)
        else:
            text = f"{promotion.code} is {promotion.status}, version {written.version.number}."
            self.message_user(request, text, messages.SUCCESS)

    @display(description="Status", label=COLORS)
    def shown_status(self, promotion: Promotion) -> tuple[str, str]:
        waits: bool = getattr(promotion, "waits")  # noqa: B009 annotated above
        return promotion.status, f"{promotion.status}{' · waits' if waits else ''}"

    @admin.display(description="Gives")
    def gives(self, promotion: Promotion) -> str:
        award = (getattr(promotion, "last") or {}).get("award") or {}  # noqa: B009
        what = award.get("type") or award.get("voucher_type") or award.get("sweepstake") or ""
        count = award.get("points") or award.get("factor") or award.get("quantity") or ""
        each = f" per {award['per']}" if award.get("per") else ""
        return f"{str(award.get('kind', '')).replace('_', ' ').lower()}: {count} {what}{each}"

    @admin.display(description="Runs")
    def runs(self, promotion: Promotion) -> str:
        definition = getattr(promotion, "last") or {}  # noqa: B009
        begin, end = (str(definition.get(name) or "")[:10] for name in ("active_from", "active_to"))
        return format_html("{} – {}", begin, end) if begin or end else "always"

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
            self._tell(request, written)


def _head(promotion: Promotion | None) -> dict[str, Any] | None:
    """Return what stands above a promotion's form: its status, what waits, and the warnings."""
    definition = last_definition(promotion)
    if promotion is None or definition is None:
        return None
    try:
        warnings = lint(promotion.code, read_definition(definition), at=timezone.now())
    except LoyaltyError as error:
        warnings = (f"INVALID: {error.detail}",)
    return {
        "promotion": promotion,
        "version": promotion.versions.order_by("-number").first(),
        "waiting": waiting_of(promotion),
        "warnings": [text.partition(": ")[::2] for text in warnings],
    }


@admin.register(PromotionApproval)
class PromotionApprovalAdmin(ReadOnlyAdmin):
    where_from = "Where the settings ask for four eyes, what is put live waits here."
    list_display = ["of", "state", "asked_by", "asked_at", "decided_by", "decided_at"]
    list_display_links = None
    list_filter = ["state"]
    list_select_related = ["promotion"]
    ordering = ["-asked_at"]

    @admin.display(description="Promotion")
    def of(self, approval: PromotionApproval) -> str:
        url = reverse("admin:promotions_promotion_change", args=[approval.promotion_id])
        return format_html("<a class='font-semibold' href='{}'>{}</a>", url, approval.promotion)


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnlyAdmin):
    list_display = ["transaction_id", "member_id", "engine_version"]
    show_full_result_count = False
