"""The back office's pages of segments: what they are, files into them, and lists out of them."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget

from loyalty.errors import ExpressionInvalid, LoyaltyError, ValidationFailed
from loyalty.models import Job, Program
from loyalty.services import job_errors, uploads
from loyalty.services.use_case import use_case
from loyalty.spreadsheet import CSV, as_csv
from members import segment_facts
from members.admin.segment_form import ImportForm
from members.models import Segment
from members.queries.segments import members_of
from members.services import segment_import, segment_refresh, segments

SHOWN = 20  # Imports on a segment's page, the latest first.
PAGE = "members_segment_imports"
UNFINISHED = (Job.Status.PENDING, Job.Status.RUNNING)
COUNTS = (
    "lines",
    "members",
    "added",
    "updated",
    "removed",
    "unchanged",
    "duplicates",
    "unknown",
    "rejected",
)


class SegmentForm(forms.ModelForm):
    """A segment; its condition is checked, and what is wrong is shown at its place."""

    class Meta:
        model = Segment
        fields = ["code", "name", "kind", "condition", "active"]
        widgets = {"condition": UnfoldAdminTextareaWidget(attrs={"rows": 6, "spellcheck": "false"})}

    def clean(self) -> dict[str, Any]:
        """Check the condition against the kind, which stays what it is."""
        given: dict[str, Any] = super().clean() or {}
        kind = self.instance.kind if self.instance.pk else given.get("kind")
        condition = given.get("condition") or ""
        if kind == Segment.Kind.STATIC and condition:
            self.add_error("condition", "A static segment has no condition.")
        elif kind == Segment.Kind.DYNAMIC and not condition.strip():
            self.add_error("condition", "A dynamic segment has a condition.")
        elif condition:
            try:
                segment_refresh.check_condition(condition)
            except ExpressionInvalid as error:
                self.add_error("condition", _at_its_place(condition, error))
        return given


def _at_its_place(condition: str, error: ExpressionInvalid) -> str:
    """Return an error of a condition with the text before and after its place."""
    position = error.extra["position"]
    before, after = condition[max(0, position - 30) : position], condition[position : position + 30]
    return f"{error.detail}: {before}▸{after}"


@admin.register(Segment)
class SegmentAdmin(ModelAdmin):
    """Segments. Members of a static one come by hand or file, of a dynamic one by its condition."""

    form = SegmentForm
    list_display = ["code", "name", "kind", "active", "size", "refreshed_at"]
    list_filter = ["kind", "active"]
    search_fields = ["code", "name"]
    ordering = ["code"]
    readonly_fields = ["size", "refreshed_at", "version", "imports", "facts"]
    actions_detail = ["import_file", "export"]
    actions = ["refresh_selected"]

    def get_fieldsets(self, request: HttpRequest, obj: Segment | None = None) -> Any:
        what = ("Segment", {"fields": ["code", "name", "kind", "condition", "active"]})
        asked = ("What a condition may ask for", {"fields": ["facts"], "classes": ["collapse"]})
        if obj is None:
            return [what, asked]
        members = ("Members", {"fields": ["size", "refreshed_at", "version"]})
        return [members, what, asked, ("Files and refreshes", {"fields": ["imports"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Segment | None = None) -> list[str]:
        """Promotions name a segment by its code, which stays; so does its kind."""
        return [*self.readonly_fields, *(["code", "kind"] if obj else [])]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # Promotions may name it; one that is not active counts for nobody.

    def save_model(self, request: HttpRequest, obj: Segment, form: Any, change: bool) -> None:
        content = segments.Content(obj.name, obj.kind, obj.condition, obj.active)
        saved = segments.save_segment(obj.code, content, at=timezone.now())
        obj.pk, obj.version = saved.segment.pk, saved.segment.version
        if saved.job:
            self.message_user(request, "Its members are found anew in a moment.", messages.INFO)

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.imports_page)
        return [path("<path:object_id>/imports/", page, name=PAGE), *super().get_urls()]

    @admin.display(description="The latest")
    def imports(self, segment: Segment) -> str:
        page = reverse(f"admin:{PAGE}", args=[segment.pk])
        rows = [
            (page, job.pk, _at(job), _named(job), job.get_status_display(), _counted(job))
            for job in _jobs(segment)[:SHOWN]
        ]
        if not rows:
            return "None yet."
        line = "<li><a href='{}?job={}'>{} {}</a> — {} {}</li>"
        return format_html("<ul>{}</ul>", format_html_join("", line, rows))

    @admin.display(description="Names")
    def facts(self, segment: Segment) -> str:
        rows = [(name, what) for name, (_, what) in segment_facts.FACTS.items()]
        schema = Program.objects.values_list("member_schema", flat=True).get(pk=1)
        rows += [
            (f"{segment_facts.ATTRIBUTES}.{name}", definition.get("label") or "")
            for name, definition in schema.items()
        ]
        return format_html_join("", "<div><code>{}</code> {}</div>", rows)

    def has_run_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Files and refreshes are for those who may change segments."""
        return request.user.has_perm("members.change_segment")

    @action(description="Import a file", permissions=["run"], url_path="import-file")
    def import_file(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take a file, look into it, and start the job that puts it into effect."""
        segment = self._segment(request, object_id)
        form = ImportForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            job = self._start(segment, form)
            if job is not None:
                page = reverse(f"admin:{PAGE}", args=[segment.pk])
                return redirect(f"{page}?job={job.pk}")
        return self._page(request, "members/segment_import.html", segment, form=form)

    def _start(self, segment: Segment, form: ImportForm) -> Job | None:
        """Return the job of a file; None if the file was refused, which the form then tells."""
        now = timezone.now()
        upload = uploads.keep(form.cleaned_data["file"], at=now)
        try:
            prepared = segment_import.prepare(form.wanted(), upload=upload)
            return use_case(segment_import.start_import)(segment.code, prepared, at=now)
        except ValidationFailed as refusal:
            for error in refusal.errors:
                form.tell(error)
        except LoyaltyError as refusal:
            form.add_error(None, refusal.detail)
        uploads.discard(upload)
        return None

    @admin.action(description="Find members anew", permissions=["run"])
    def refresh_selected(self, request: HttpRequest, queryset: QuerySet[Segment]) -> None:
        started = 0
        for segment in queryset.filter(kind=Segment.Kind.DYNAMIC):
            use_case(segment_refresh.start_refresh)(segment.code, at=timezone.now())
            started += 1
        text = f"{started} are found anew. Static ones were left alone."
        self.message_user(request, text, messages.SUCCESS if started else messages.WARNING)

    @action(description="Export as CSV", permissions=["view"], url_path="export")
    def export(self, request: HttpRequest, object_id: str) -> StreamingHttpResponse:
        """Send who is in a segment, however many, as a file."""
        segment = self._segment(request, object_id)
        rows = members_of(segment.pk, at=timezone.now())
        name = f'attachment; filename="segment-{segment.code}.csv"'
        return StreamingHttpResponse(
            as_csv(("number", "since", "until"), rows),
            content_type=CSV,
            headers={"Content-Disposition": name},
        )

    def imports_page(self, request: HttpRequest, object_id: str) -> Any:
        """Show how far a job is and what came of it, or send the lines that came to nothing."""
        segment = self._segment(request, object_id)
        job = _job(segment, request.GET.get("job", ""))
        if "rejects" in request.GET:
            name = f'attachment; filename="rejects-{segment.code}.csv"'
            return StreamingHttpResponse(
                job_errors.as_csv_of(job.pk),
                content_type=CSV,
                headers={"Content-Disposition": name},
            )
        counts = [(name, job.result[name]) for name in COUNTS if name in job.result]
        return self._page(
            request,
            "members/segment_job.html",
            segment,
            job=job,
            named=_named(job),
            counts=counts,
            unfinished=job.status in UNFINISHED,
            share=min(100, round(100 * job.done / job.total)) if job.total else 0,
            kept=job_errors.KEPT_AT_MOST,
        )

    def _segment(self, request: HttpRequest, object_id: str) -> Segment:
        segment = self.get_object(request, object_id)
        if segment is None or not self.has_view_permission(request, segment):
            raise PermissionDenied
        return segment

    def _page(
        self, request: HttpRequest, template: str, segment: Segment, **more: Any
    ) -> TemplateResponse:
        context = {**self.admin_site.each_context(request), "segment": segment, **more}
        context["title"] = f"{segment.code} {segment.name}"
        return TemplateResponse(request, template, context)


def _jobs(segment: Segment) -> QuerySet[Job]:
    return Job.objects.filter(parameters__segment=segment.pk).order_by("-created_at")


def _job(segment: Segment, key: str) -> Job:
    """:raises Http404: if the segment has no such job."""
    try:
        return _jobs(segment).get(pk=UUID(key))
    except (ValueError, Job.DoesNotExist):
        raise Http404 from None


def _at(job: Job) -> str:
    return date_format(timezone.localtime(job.created_at), "Y-m-d H:i")


def _named(job: Job) -> str:
    given = job.parameters
    if job.kind == segment_refresh.KIND:
        return "Found anew"
    return f"{given['mode']} {given['name']}" + (" (dry run)" if job.dry_run else "")


def _counted(job: Job) -> str:
    shown = ("added", "removed", "unknown", "rejected")
    return ", ".join(f"{job.result[name]:,} {name}" for name in shown if name in job.result)
