"""Promotion → Try on history: a draft beside what really happened, with charts."""

import json
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django import forms
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSingleDateWidget

from ledger.queries.configuration import configuration
from loyalty.errors import NotFound, ValidationFailed
from loyalty.models import Job
from loyalty.services import jobs
from loyalty.spreadsheet import CSV
from promotions.admin.try_form import TryForm
from promotions.models import Promotion
from promotions.services.history import backtest
from promotions.services.history.backtest_rows import csv_rows
from promotions.services.writing.waiting import waiting_of

# In place of unfold's: bars side by side, a legend, figures at the side.
_GREY = {"color": "#9ca3af"}
OPTIONS = json.dumps(
    {
        "animation": False,
        "responsive": True,
        "maintainAspectRatio": False,
        "maxBarThickness": 28,
        "plugins": {"legend": {"align": "end", "labels": {**_GREY, "boxHeight": 8, "boxWidth": 8}}},
        "scales": {
            "x": {"grid": {"display": False}, "ticks": {**_GREY, "maxRotation": 0}},
            "y": {"beginAtZero": True, "ticks": _GREY, "grid": {"color": "rgba(156,163,175,.2)"}},
        },
    }
)
SHOWN = 10  # Earlier runs on the page, and rows of the longer tables.
WEEKS = 4
WAITING = "waiting"
EARLIEST = date(1970, 1, 1)
# The palette of the charts: what there was, what there would have been.
BEFORE, AFTER = "#a3a3a3", "#6d8f3c"


class HistoryForm(forms.Form):
    """Which version to try, on which local days."""

    version = forms.ChoiceField(widget=UnfoldAdminSelectWidget())
    begins = forms.DateField(label="From", widget=UnfoldAdminSingleDateWidget())
    ends = forms.DateField(label="To", widget=UnfoldAdminSingleDateWidget(), help_text="Included.")

    def __init__(self, promotion: Promotion, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        numbers = promotion.versions.order_by("-number").values_list("number", flat=True)
        choices = [(str(number), f"Version {number}") for number in numbers]
        if waiting_of(promotion) is not None:
            choices.insert(0, (WAITING, "What waits for approval"))
        version: Any = self.fields["version"]
        version.choices = choices

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        begins, ends = given.get("begins"), given.get("ends")
        if begins and ends and begins > ends:
            self.add_error("ends", "It ends before it begins.")
        if begins and begins < EARLIEST:
            self.add_error("begins", "That is before anything was sold.")
        if ends and ends > timezone.localdate():
            given["ends"] = timezone.localdate()
        return given


class HistoryPages:
    """The pages of trials; a part of the promotions' admin."""

    def history_urls(self) -> list[URLPattern]:
        """Return the addresses of results; the page that starts one is an action."""
        page: Any = self
        view = page.admin_site.admin_view
        return [
            path("try-history/", view(self.draft_page), name="promotions_try_history"),
            path(
                "<int:promotion_id>/history/<uuid:job_id>/",
                view(self.result_page),
                name="promotions_history_result",
            ),
            path(
                "<int:promotion_id>/history/<uuid:job_id>/report.csv",
                view(self.csv_page),
                name="promotions_history_csv",
            ),
        ]

    def has_history_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        page: Any = self
        return bool(page.has_change_permission(request))

    @action(description="Try on history", permissions=["history"], url_path="history")
    def history_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for a version and a period, and start a trial."""
        promotion = self._of(object_id)
        now = timezone.now()
        today = now.astimezone(configuration().zone).date()
        initial = {"begins": today - timedelta(days=28), "ends": today}
        form = HistoryForm(promotion, request.POST or None, initial=initial)
        if request.method == "POST" and form.is_valid():
            try:
                job = _start(promotion, form.cleaned_data, now)
            except ValidationFailed as refusal:
                form.add_error(None, refusal.errors[0].message)
            except NotFound as refusal:
                form.add_error(None, refusal.detail)
            else:
                return redirect("admin:promotions_history_result", promotion.pk, job.pk)
        runs = _runs(promotion)[:SHOWN]
        return self._render(request, "promotions/history.html", promotion, form=form, runs=runs)

    def draft_page(self, request: HttpRequest) -> HttpResponse:
        """Start a trial of the form as it stands, saved or not; answers a part of a page."""
        page: Any = self
        form, basket = page._draft(request), TryForm(request.POST)
        shown: dict[str, Any] = {"form": form}
        if form.is_valid() and form.definition is not None and form.instance.pk:
            basket.is_valid()
            weeks, now = int(basket.cleaned_data.get("weeks") or WEEKS), timezone.now()
            first = now.astimezone(configuration().zone).date() - timedelta(weeks=weeks)
            content = msgspec.to_builtins(form.definition)
            code = form.instance.code
            with transaction.atomic():
                shown["job"] = backtest.start_backtest(
                    code, content, begins=_midnight(first), ends=now, at=now
                )
        return render(request, "promotions/history_started.html", shown)

    def result_page(self, request: HttpRequest, promotion_id: int, job_id: UUID) -> HttpResponse:
        """Show how far a trial is, and when it is done, what it found."""
        promotion = self._of(promotion_id)
        self._check(request)
        job = _run(promotion, job_id)
        context: dict[str, Any] = {"job": job, "running": job.status in jobs.UNFINISHED}
        if job.status == Job.Status.DONE:
            context |= _shown(job.result)
        elif job.total:
            context["percent"] = min(100, 100 * job.done // job.total)
        return self._render(request, "promotions/history_result.html", promotion, **context)

    def csv_page(
        self, request: HttpRequest, promotion_id: int, job_id: UUID
    ) -> StreamingHttpResponse:
        """Send a trial's report as a file for a spreadsheet."""
        promotion = self._of(promotion_id)
        self._check(request)
        job = _run(promotion, job_id)
        if job.status != Job.Status.DONE:
            raise Http404
        name = f"{promotion.code}-{job.result['from'][:10]}-{job.result['to'][:10]}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingHttpResponse(csv_rows(job.result), content_type=CSV, headers=headers)

    def _check(self, request: HttpRequest) -> None:
        if not self.has_history_permission(request):
            raise Http404

    def _of(self, key: Any) -> Promotion:
        found = Promotion.objects.filter(pk=key).first()
        if found is None:
            raise Http404
        return found

    def _render(
        self, request: HttpRequest, template: str, promotion: Promotion, **context: Any
    ) -> HttpResponse:
        page: Any = self
        back = reverse("admin:promotions_promotion_change", args=[promotion.pk])
        title = f"{promotion.code} on history"
        whole = {**page.admin_site.each_context(request), "title": title, "back": back, **context}
        return render(request, template, {**whole, "promotion": promotion})


def _start(promotion: Promotion, given: dict[str, Any], now: datetime) -> Job:
    number = None if given["version"] == WAITING else int(given["version"])
    waiting = waiting_of(promotion) if number is None else None
    if waiting is not None:
        definition = waiting.definition
    else:
        definition, number = backtest.definition_of(promotion.code, number)
    with transaction.atomic():
        return backtest.start_backtest(
            promotion.code,
            definition,
            begins=_midnight(given["begins"]),
            ends=_midnight(given["ends"] + timedelta(days=1)),
            at=now,
            number=number,
        )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, configuration().zone)


def _runs(promotion: Promotion) -> Any:
    found = Job.objects.filter(kind=backtest.KIND, parameters__code=promotion.code)
    return found.order_by("-created_at")


def _run(promotion: Promotion, job_id: UUID) -> Job:
    job: Job | None = _runs(promotion).filter(pk=job_id).first()
    if job is None:
        raise Http404
    return job


def _shown(report: dict[str, Any]) -> dict[str, Any]:
    """Return a report as the page shows it: figures, charts, tables."""
    total, weeks = report["total"], report["weeks"]
    value = f"{total['value']} {report['currency']}" if total["value"] is not None else None
    figures = [
        ("Sales", total["sales"], f"of {report['members']:,} members"),
        ("Sales it touches", total["touched"], _share(total["touched"], total["sales"])),
        ("Members it reaches", total["members"], _share(total["members"], report["members"])),
        (f"{report['gives']} it gives", total["given"], value or ""),
        (
            f"{report['gives']} of all promotions",
            total["after"],
            f"{total['after'] - total['before']:+,} to what was given",
        ),
    ]
    segments = sorted(report["segments"], key=lambda row: (-row["given"], row["name"]))
    return {
        "report": report,
        "figures": figures,
        "by_week": _chart(
            [row["name"] for row in weeks],
            [
                ("Given then", [row["before"] for row in weeks], BEFORE),
                ("With the draft", [row["after"] for row in weeks], AFTER),
            ],
        ),
        "burn": _burn(report),
        "options": OPTIONS,
        "tables": [
            ("By week", weeks),
            ("By tier", report["tiers"]),
            (f"By segment{' (the first ten)' if len(segments) > SHOWN else ''}", segments[:SHOWN]),
        ],
        "others": report["others"][: 2 * SHOWN],
        "notes": [note.partition(": ")[::2] for note in report["notes"]],
    }


def _burn(report: dict[str, Any]) -> str | None:
    """Return the chart of a budget's burn: what was wanted until each day, and where it ends."""
    budget = report["budget"]
    if not budget or not budget["days"]:
        return None
    days = [day for day, _ in budget["days"]]
    wanted = [float(count) for _, count in budget["days"]]
    at_most = float(budget["at_most"])
    lines = [("Wanted", wanted, AFTER), ("Budget", [at_most] * len(days), "#dc2626")]
    return _chart(days, lines, points=False)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _chart(
    labels: list[str], sets: list[tuple[str, list[Any], str]], *, points: bool = True
) -> str:
    """Return what unfold's charts draw."""
    rows = [
        {
            "label": label,
            "data": data,
            "backgroundColor": color,
            "borderColor": color,
            **({} if points else {"pointRadius": 0, "borderWidth": 2}),
        }
        for label, data, color in sets
    ]
    return json.dumps({"labels": labels, "datasets": rows})
