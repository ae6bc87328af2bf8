"""Voucher types with their stock and pools, and vouchers, in the back office."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminIntegerFieldWidget

from loyalty.admin_base import ReadOnlyAdmin
from vouchers import codes
from vouchers.models import Voucher, VoucherType, VoucherUse
from vouchers.queries.vouchers import status_of
from vouchers.services import issuing, stock

POOL_FILE_BYTES_MAX = 10 * 1024 * 1024


class VoucherTypeForm(forms.ModelForm):
    """A voucher type, with what is left of it and a file of codes for its pool."""

    left = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=100_000_000,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="How many more are issued; empty: no limit. Not for imported codes.",
    )
    pool = forms.FileField(
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text="For imported codes: a CSV file, one code per line, up to 10 MB.",
    )

    class Meta:
        model = VoucherType
        fields = [
            "code",
            "name",
            "translations",
            "gives",
            "value",
            "currency",
            "percent",
            "product",
            "text",
            "in_parts",
            "point_type",
            "points",
            "at_once",
            "per_member",
            "codes",
            "prefix",
            "lives",
            "reserved_for",
            "undo_within",
            "partners",
            "outlets",
            "needs_member",
            "active_from",
            "active_to",
            "active",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "left" in self.fields:
            self.fields["left"].initial = stock.left_of([self.instance.pk]).get(self.instance.pk)

    def clean_pool(self) -> list[str] | None:
        found: UploadedFile | None = self.cleaned_data["pool"]
        if found is None:
            return None
        if (found.size or 0) > POOL_FILE_BYTES_MAX:
            raise forms.ValidationError("The file has more than 10 MB: import it in parts.")
        try:
            text = found.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise forms.ValidationError("The file is not text in UTF-8.") from None
        return list(_codes_in(text))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        imported = cleaned.get("codes") == VoucherType.Codes.IMPORTED
        if cleaned.get("pool") and not imported:
            self.add_error("pool", "Only a type with imported codes has a pool.")
        return cleaned


def _codes_in(text: str) -> Iterator[str]:
    for number, row in enumerate(csv.reader(io.StringIO(text)), start=1):
        code = row[0].strip() if row else ""
        if not code:
            continue
        if len(code) > 64 or len(codes.plain(code)) < 4 or not code.isascii():
            message = f"Line {number}: {code[:80]!r} is no code of 4 to 64 characters."
            raise forms.ValidationError(message)
        yield code


@admin.register(VoucherType)
class VoucherTypeAdmin(ModelAdmin):
    form = VoucherTypeForm
    list_display = ["code", "name", "gives", "worth", "points", "left", "active"]
    list_filter = ["gives", "active"]
    search_fields = ["code", "name"]
    filter_horizontal = ["partners"]
    fieldsets = [
        (None, {"fields": ["code", "name", "active"]}),
        (
            "What it gives",
            {"fields": ["gives", "value", "currency", "in_parts", "percent", "product", "text"]},
        ),
        ("For points", {"fields": ["point_type", "points", "at_once", "per_member"]}),
        ("Codes and stock", {"fields": ["codes", "prefix", "left", "pool"]}),
        (
            "When and where",
            {
                "fields": [
                    "active_from",
                    "active_to",
                    "lives",
                    "reserved_for",
                    "undo_within",
                    "needs_member",
                    "partners",
                    "outlets",
                ]
            },
        ),
        ("Translations", {"fields": ["translations"], "classes": ["collapse"]}),
    ]

    def get_readonly_fields(
        self, request: HttpRequest, obj: VoucherType | None = None
    ) -> list[str]:
        """What is out in members' hands stays what it was."""
        return ["code", "gives", "value", "currency", "in_parts", "codes"] if obj else []

    @admin.display(description="Worth")
    def worth(self, kind: VoucherType) -> str:
        if kind.value is not None:
            return f"{kind.value} {kind.currency}"
        return f"{kind.percent} %" if kind.percent is not None else kind.product or kind.text[:40]

    @admin.display(description="Left")
    def left(self, kind: VoucherType) -> str:
        left = stock.left_of([kind.pk]).get(kind.pk)
        return "no limit" if left is None else f"{left:,}"

    def save_model(self, request: HttpRequest, obj: VoucherType, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if obj.codes == VoucherType.Codes.GENERATED and "left" in form.changed_data:
            stock.set_stock(obj, form.cleaned_data["left"])
        if wanted := form.cleaned_data.get("pool"):
            new = stock.import_codes(obj, [issuing.blank(obj, code) for code in wanted])
            text = f"{new:,} codes are new, {len(wanted) - new:,} were known."
            self.message_user(request, text, messages.SUCCESS)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # It is withdrawn: members hold its vouchers.


class UseInline(TabularInline):
    model = VoucherUse
    extra = 0
    can_delete = False
    fields = ["at", "state", "amount", "partner", "outlet", "reference", "until", "ended_at"]
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Voucher)
class VoucherAdmin(ReadOnlyAdmin):
    list_display = ["masked", "voucher_type", "member", "now", "left", "origin", "expires_at"]
    list_filter = ["voucher_type", "status", "origin"]
    list_select_related = ["voucher_type", "member"]
    search_fields = ["member__number"]
    search_help_text = "A member number, or a whole code."
    exclude = ["code_hash", "code_sealed"]
    ordering = ["-id"]
    inlines = [UseInline]
    actions = ["cancel"]
    show_full_result_count = False

    @admin.display(description="Code")
    def masked(self, voucher: Voucher) -> str:
        return codes.masked(voucher.hint)

    @admin.display(description="Status")
    def now(self, voucher: Voucher) -> str:
        return Voucher.Status(status_of(voucher, timezone.now())).label

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Voucher], search_term: str
    ) -> tuple[QuerySet[Voucher], bool]:
        """Find by a member's number, or by a whole code through its hash."""
        found, distinct = super().get_search_results(request, queryset, search_term)
        if search_term:
            found = found | queryset.filter(code_hash=codes.hash_of(search_term))
        return found, distinct

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Vouchers are cancelled here, and never edited."""
        return request.user.has_perm("vouchers.change_voucher")

    @admin.action(description="Cancel; used ones stay used", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Voucher]) -> None:
        with transaction.atomic():
            keys = list(queryset.values_list("pk", flat=True))
            count = len(issuing.cancel(keys, at=timezone.now()))
        self.message_user(request, f"{count} cancelled.", messages.SUCCESS)
