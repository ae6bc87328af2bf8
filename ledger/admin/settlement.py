"""The back office's pages of what is settled with partners: read, downloaded, and closed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from ledger.admin.charts import STACKED, bars
from ledger.models import Movement, PointType, Statement, StatementLine
from ledger.queries.configuration import configuration
from ledger.queries.statements import (
    STATEMENT_COLUMNS,
    last_month,
    month_of,
    moved_transactions,
    period_of,
    statement_rows,
)
from ledger.tasks import start_settling
from loyalty.admin_base import ReadOnlyAdmin
from loyalty.spreadsheet import CSV, as_csv

MONTHS_SHOWN = 12
ROWS_SHOWN = 100


class MonthForm(forms.Form):
    """Which month is settled."""

    month = forms.RegexField(
        r"^\d{4}-\d{2}$",
        widget=UnfoldAdminTextInputWidget(),
        help_text="Such as 2026-10. It is closed: nothing is posted into it any more.",
    )

    def clean_month(self) -> Any:
        """Refuse what is no month, and one that is not over."""
        try:
            month = month_of(self.cleaned_data["month"])
        except ValueError:
            raise forms.ValidationError("There is no such month.") from None
        if period_of(month)[1] > timezone.now():
            raise forms.ValidationError("The month is not over.")
        return month


@admin.register(Statement)
class StatementAdmin(ReadOnlyAdmin):
    where_from = "A month is settled in the first hour after it is over."
    list_display = ["named", "month_name", "total", "closed_at"]
    list_filter = ["month", "partner"]
    list_select_related = ["partner"]
    search_fields = ["partner__code", "partner__name"]
    ordering = ["-month", "partner__code"]
    fields = readonly_fields = ["partner", "month_name", "period", "total", "closed_at"]
    actions_list = ["settle"]
    actions_detail = ["download"]
    change_form_after_template = "ledger/statement.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Statement]:
        return super().get_queryset(request).select_related("partner")

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.transactions)
        name = "ledger_statement_transactions"
        return [path("<int:pk>/transactions/<int:line>/", page, name=name), *super().get_urls()]

    @admin.display(description="Partner", ordering="partner__code")
    def named(self, statement: Statement) -> str:
        return f"{statement.partner.name} ({statement.partner.code})"

    @admin.display(description="Month", ordering="month")
    def month_name(self, statement: Statement) -> str:
        return f"{statement.month:%B %Y}"

    @admin.display(description="Posted")
    def period(self, statement: Statement) -> str:
        zone = configuration().zone
        start, end = (each.astimezone(zone) for each in (statement.starts_at, statement.ends_at))
        return f"from {start:%Y-%m-%d %H:%M} until {end:%Y-%m-%d %H:%M}, {zone}"

    @admin.display(description="The partner pays", ordering="amount")
    def total(self, statement: Statement) -> str:
        return said(statement.amount, statement.currency)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        statement = self.get_object(request, object_id)
        if statement is not None and self.has_view_permission(request, statement):
            extra_context = {**(extra_context or {}), **_content(statement)}
        return super().change_view(request, object_id, form_url, extra_context)

    @action(description="Download as CSV", url_path="csv", permissions=["view"])
    def download(self, request: HttpRequest, object_id: str) -> StreamingHttpResponse:
        """Send the statement as a file."""
        statement = get_object_or_404(self.get_queryset(request), pk=object_id)
        name = f"{statement.partner.code}-{statement.month:%Y-%m}.csv"
        return as_file(name, STATEMENT_COLUMNS, statement_rows(statement))

    def has_settle_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether a person of the staff may close a month."""
        return request.user.has_perm("ledger.settle_statement")

    @action(description="Settle a month", url_path="settle", permissions=["settle"])
    def settle(self, request: HttpRequest) -> HttpResponse:
        """Ask for the month, then start the job that closes it."""
        initial = {"month": f"{last_month(timezone.now()):%Y-%m}"}
        form = MonthForm(request.POST or None, initial=initial)
        if request.method == "POST" and form.is_valid():
            start_settling(form.cleaned_data["month"], at=timezone.now())
            text = "The month is settled in a moment; the job stands under Jobs."
            self.message_user(request, text, messages.SUCCESS)
            return redirect("admin:ledger_statement_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": "Settle a month with every partner",
            "form": form,
            "verb": "Close and settle it",
            "back": reverse("admin:ledger_statement_changelist"),
        }
        return render(request, "ledger/form.html", context)

    def transactions(self, request: HttpRequest, pk: int, line: int) -> HttpResponse:
        """Show the transactions that a line is made of, newest first."""
        statement = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_view_permission(request, statement):
            raise PermissionDenied
        row = get_object_or_404(
            StatementLine.objects.select_related("point_type"), statement=statement, pk=line
        )
        rows = moved_transactions(statement, row, before=_position(request), limit=ROWS_SHOWN + 1)
        shown = rows[:ROWS_SHOWN]
        more = f"{shown[-1][1].isoformat()}_{shown[-1][0]}" if len(rows) > ROWS_SHOWN else ""
        context = {
            **self.admin_site.each_context(request),
            "title": f"{statement.partner.code}, {statement.month:%B %Y}: {_named(row)}",
            "table": {
                "headers": ["Posted", "Kind", "Member", "Outlet", "Points"],
                "rows": [_cells(each) for each in shown],
            },
            "more": more,
            "back": reverse("admin:ledger_statement_change", args=[pk]),
        }
        return render(request, "ledger/transactions.html", context)


def as_file(name: str, header: Any, rows: Any) -> StreamingHttpResponse:
    """Return rows as a CSV file that is sent while it is read."""
    answer = StreamingHttpResponse(as_csv(header, rows), content_type=CSV)
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def said(amount: Any, currency: str) -> str:
    """Return money as a person reads it."""
    return f"{amount:,.2f} {currency}"


def _content(statement: Statement) -> dict[str, Any]:
    """Return the lines with the way to their transactions, and the partner's year as a chart."""
    lines = statement.lines.select_related("point_type").order_by(
        "point_type__code", "movement", "rate"
    )
    rows = [
        [
            format_html(
                '<a class="underline" href="{}">{}</a>',
                reverse("admin:ledger_statement_transactions", args=[statement.pk, line.pk]),
                line.get_movement_display(),
            ),
            line.point_type.code,
            f"{line.transactions:,}",
            f"{line.points:,}",
            f"{line.rate.normalize():f}" if line.rate is not None else "—",
            said(line.amount, statement.currency),
        ]
        for line in lines
    ]
    rows.append(["Total", "", "", "", "", said(statement.amount, statement.currency)])
    earlier = list(
        Statement.objects.filter(partner=statement.partner, month__lte=statement.month).order_by(
            "-month"
        )[:MONTHS_SHOWN]
    )[::-1]
    return {
        "lines": {
            "headers": ["Movement", "Type", "Transactions", "Points", "Rate", "The partner pays"],
            "rows": rows,
        },
        "chart": _chart(earlier),
        "options": STACKED,
    }


def _chart(statements: list[Statement]) -> str:
    amounts: dict[str, dict[int, float]] = {}
    for line in StatementLine.objects.filter(statement__in=statements).exclude(amount=0):
        of_movement = amounts.setdefault(line.movement, {})
        of_movement[line.statement_id] = of_movement.get(line.statement_id, 0) + float(line.amount)
    return bars(
        [f"{each.month:%Y-%m}" for each in statements],
        [
            (Movement(movement).label, [found.get(each.pk, 0) for each in statements])
            for movement, found in sorted(amounts.items())
        ],
    )


def _named(line: StatementLine) -> str:
    kind: PointType = line.point_type
    at = f" at {line.rate.normalize():f}" if line.rate is not None else ""
    return f"{line.get_movement_display()}, {kind.code}{at}"


def _cells(row: tuple[Any, ...]) -> list[Any]:
    key, posted_at, kind, number, outlet, points = row
    page = reverse("admin:ledger_transaction_change", args=[key])
    link = format_html(
        '<a class="underline" href="{}">{}</a>',
        page,
        f"{timezone.localtime(posted_at):%Y-%m-%d %H:%M:%S}",
    )
    return [link, kind, number, outlet or "—", f"{points:,}"]


def _position(request: HttpRequest) -> tuple[datetime, UUID] | None:
    instant, _, key = request.GET.get("before", "").partition("_")
    try:
        return datetime.fromisoformat(instant), UUID(key)
    except ValueError:
        return None
