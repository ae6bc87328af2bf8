"""The back office's pages of jobs, and of what is to be announced."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from loyalty.admin_base import ReadOnlyAdmin
from loyalty.models import Job, OutboxEvent
from loyalty.services import jobs


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "kind", "status", "progress", "started_at", "finished_at"]
    list_filter = ["status", "kind"]
    ordering = ["-created_at"]
    actions = ["cancel", "run_again"]

    @admin.display(description="Progress")
    def progress(self, job: Job) -> str:
        if not job.total:
            return f"{job.done:,}"
        share = min(100, round(100 * job.done / job.total))
        return format_html(
            '<progress value="{}" max="100" style="width:8rem"></progress> {} / {}',
            share,
            f"{job.done:,}",
            f"{job.total:,}",
        )

    def has_run_permission(self, request: HttpRequest) -> bool:
        """Jobs are read by many and stopped by few, though nobody edits a row."""
        return request.user.has_perm("loyalty.change_job")

    @admin.action(description="Cancel", permissions=["run"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        for job in queryset:
            jobs.cancel(job)
        self.message_user(request, "The jobs stop after their next chunk.", messages.SUCCESS)

    @admin.action(description="Run again from where it stands", permissions=["run"])
    def run_again(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        count = sum(jobs.restart(job) for job in queryset)
        text = f"{count} queued again. Jobs that are done or under way were left alone."
        self.message_user(request, text, messages.SUCCESS if count else messages.WARNING)


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    list_display = ["id", "type", "member_id", "version", "created_at"]
    ordering = ["-id"]
    show_full_result_count = False
