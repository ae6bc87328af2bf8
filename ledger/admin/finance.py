"""The back office's pages of finance: the liability of points, and the journal for the ledger."""

from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from ledger.admin.charts import STACKED, bars
from ledger.admin.settlement import as_file, said
from ledger.models import JournalAccount, LiabilityReport
from ledger.queries.configuration import Configuration, configuration
from ledger.queries.journal import COLUMNS, Journal, journal_rows
from ledger.queries.liability import (
    DIMENSIONS,
    STATES,
    Liability,
    grouped,
    liability,
    money,
    value_of,
)
from ledger.queries.statements import last_month, period_of
from loyalty.admin_base import ReadOnlyAdmin
from loyalty.dates import start_of_day

COHORTS = (
    "Type", "Month", "Issued", "Taken back", "Redeemed", "Expired", "Outstanding", "Matured",
    "Breakage", "Redemption rate",
)  # fmt: skip

A_DAY = {"type": "date"}
BALANCE = ("Type", "Opening", "Movements", "Closing", "Value")


class ReportForm(forms.Form):
    """As of when, and grouped by what."""

    as_of = forms.DateField(
        required=False,
        label="Posted before",
        widget=UnfoldAdminTextInputWidget(attrs=A_DAY),
        help_text="Empty: now.",
    )
    by = forms.MultipleChoiceField(
        choices=[(name, name.title()) for name in DIMENSIONS],
        required=False,
        widget=forms.CheckboxSelectMultiple(),
        label="Grouped by",
    )


@admin.register(LiabilityReport)
class LiabilityAdmin(ReadOnlyAdmin):
    """What is outstanding in points, by type, tier, month of earning and month of expiry."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse | StreamingHttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        settings = configuration()
        form = ReportForm(request.GET or None)
        day, by = None, ["tier"]
        if form.is_valid():
            day, by = form.cleaned_data["as_of"], form.cleaned_data["by"]
        at = start_of_day(day, settings.zone) if day else timezone.now()
        found = liability(at, settings.zone)
        rows = grouped(found.held, by, settings, at)
        if request.GET.get("format") == "csv":
            header = ("type", *by, *STATES, "amount", "currency")
            return as_file(f"liability-{at:%Y-%m-%d}.csv", header, rows)
        query = request.GET.copy()
        query["format"] = "csv"
        context = {
            **self.admin_site.each_context(request),
            "title": "Liability of points",
            "form": form,
            "figures": _figures(found, settings, at),
            "untied": [settings.point_types[each.point_type].code for each in found.untied],
            "table": {
                "headers": ["Type", *(name.title() for name in (*by, *STATES)), "Value"],
                "rows": [_shown(row) for row in rows],
            },
            "cohorts": {"headers": list(COHORTS), "rows": _cohorts(found, settings)},
            "chart": _chart(found, settings),
            "options": STACKED,
            "csv": f"?{query.urlencode()}",
        }
        return render(request, "ledger/liability.html", context)


def _shown(row: tuple[Any, ...]) -> list[str]:
    *cells, amount, currency = row
    shown = [f"{cell:,}" if isinstance(cell, int) else str(cell or "—") for cell in cells]
    return [*shown, said(amount, currency)]


def _figures(found: Liability, settings: Configuration, at: datetime) -> list[tuple[str, str, str]]:
    totals: dict[int, int] = {}
    for each in found.held:
        totals[each.point_type] = totals.get(each.point_type, 0) + each.outstanding
    figures = []
    for key, points in totals.items():
        facts = settings.point_types[key]
        worth = money(points, value_of(facts, settings.currency, at), settings.currency)
        figures.append((facts.code, f"{points:,}", said(worth, settings.currency)))
    return figures


def _cohorts(found: Liability, settings: Configuration) -> list[list[str]]:
    return [
        [
            settings.point_types[each.point_type].code,
            f"{each.month:%Y-%m}",
            *(
                f"{figure:,}"
                for figure in (
                    each.issued, each.reversed, each.redeemed, each.expired, each.outstanding,
                    each.matured,
                )
            ),
            *(
                "—" if share is None else f"{share * 100:.1f} %"
                for share in (each.breakage, each.redemption_rate)
            ),
        ]
        for each in found.cohorts
    ]  # fmt: skip


def _chart(found: Liability, settings: Configuration) -> str:
    """Return what expires when, by point type."""
    months = sorted({each.expiry for each in found.held if each.expiry})
    labels = [f"{month:%Y-%m}" for month in months]
    points: dict[int, dict[Any, int]] = {}
    for each in found.held:
        of_type = points.setdefault(each.point_type, {})
        key = each.expiry if each.expiry else "never"
        of_type[key] = of_type.get(key, 0) + each.outstanding
    never = any("never" in of_type for of_type in points.values())
    return bars(
        [*labels, *(["never"] if never else [])],
        [
            (
                settings.point_types[key].code,
                [found.get(month, 0) for month in [*months, *(["never"] if never else [])]],
            )
            for key, found in points.items()
        ],
    )


class PeriodForm(forms.Form):
    """From which day to which."""

    start = forms.DateField(label="From", widget=UnfoldAdminTextInputWidget(attrs=A_DAY))
    end = forms.DateField(
        label="To",
        widget=UnfoldAdminTextInputWidget(attrs=A_DAY),
        help_text="The first day after it.",
    )

    def __init__(self, *args: Any, zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone

    def clean(self) -> dict[str, Any]:
        """Refuse a period that is none, or not over."""
        given = super().clean() or {}
        if {"start", "end"} <= set(given):
            if given["start"] >= given["end"]:
                raise forms.ValidationError("The period ends before it begins.")
            if start_of_day(given["end"], self.zone) > timezone.now():
                raise forms.ValidationError("The period is not over.")
        return given

    def instants(self) -> tuple[datetime, datetime]:
        """Return the first instant of the period and the first after it."""
        given = self.cleaned_data
        return start_of_day(given["start"], self.zone), start_of_day(given["end"], self.zone)


@admin.register(JournalAccount)
class JournalAccountAdmin(ModelAdmin):
    """The accounts of the general ledger, and the journal that is booked on them."""

    list_display = ["movement", "account", "name"]
    list_display_links = ["movement"]
    ordering = ["movement"]
    readonly_fields: ClassVar[list[str]] = ["movement"]
    actions_list = ["journal"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # Each movement has its row.

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @action(description="Write the journal", url_path="journal", permissions=["view"])
    def journal(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        """Ask for the period, show opening, movements and closing, and send the lines."""
        settings = configuration()
        start, end = period_of(last_month(timezone.now()))
        initial = {
            "start": start.astimezone(settings.zone).date(),
            "end": end.astimezone(settings.zone).date(),
        }
        form = PeriodForm(request.GET or None, initial=initial, zone=settings.zone)
        rows: list[list[str]] = []
        untied = False
        if form.is_valid():
            journal = Journal(*form.instants(), settings)
            if "csv" in request.GET:
                name = f"journal-{form.cleaned_data['start']}-{form.cleaned_data['end']}.csv"
                return as_file(name, COLUMNS, journal_rows(journal))
            rows, untied = _balances(journal, settings), not journal.tied
        context = {
            **self.admin_site.each_context(request),
            "title": "Journal for the general ledger",
            "form": form,
            "table": {
                "headers": ["Type", "Opening", "Movements", "Closing", "Value"],
                "rows": rows,
            },
            "shown": bool(rows),
            "untied": untied,
            "back": reverse("admin:ledger_journalaccount_changelist"),
        }
        return render(request, "ledger/journal.html", context)


def _balances(journal: Journal, settings: Configuration) -> list[list[str]]:
    for _ in journal.lines():
        pass  # The balances are whole once the lines were read.
    return [
        [
            settings.point_types[key].code,
            f"{balance.opening:,}",
            f"{balance.moved:+,}",
            f"{balance.closing:,}",
            said(balance.closing_amount, journal.currency),
        ]
        for key, balance in journal.balances.items()
    ]
