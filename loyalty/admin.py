"""The back office's pages of the programme."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from loyalty.admin_base import CachedFactsAdmin, ReadOnlyAdmin
from loyalty.models import IdentityProvider, Job, Master, MasterEntity, OutboxEvent, Program, User
from loyalty.services import jobs

admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    pass


@admin.register(Program)
class ProgramAdmin(CachedFactsAdmin):
    list_display = ["name", "time_zone", "currency", "accepted_lateness"]
    readonly_fields = ["epoch", "time_zone_fixed", "time_zone"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(IdentityProvider)
class IdentityProviderAdmin(ModelAdmin):
    list_display = ["code", "name", "kind", "max_per_member", "active"]


@admin.register(MasterEntity)
class MasterEntityAdmin(ModelAdmin):
    list_display = ["code", "name"]


@admin.register(Master)
class MasterAdmin(ModelAdmin):
    list_display = ["code", "name", "entity", "category_path", "retired"]
    list_filter = ["entity", "retired"]
    list_select_related = ["entity"]
    search_fields = ["code", "name"]
    autocomplete_fields = ["parent"]
    readonly_fields = ["path"]
    show_full_result_count = False

    @admin.display(description="Path")
    def category_path(self, master: Master) -> str:
        return " / ".join(master.path)

    def save_model(self, request: HttpRequest, obj: Master, form: Any, change: bool) -> None:
        obj.path = [*obj.parent.path, obj.parent.code] if obj.parent else []
        super().save_model(request, obj, form, change)


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "kind", "status", "progress", "started_at", "finished_at"]
    list_filter = ["status", "kind"]
    ordering = ["-created_at"]
    actions = ["cancel", "queue_again"]

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

    @admin.action(description="Cancel")
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        for job in queryset:
            jobs.cancel(job)
        self.message_user(request, "The jobs stop after their next chunk.", messages.SUCCESS)

    @admin.action(description="Run again from where it stands")
    def queue_again(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        for job in queryset:
            jobs.queue(job)
        self.message_user(request, "The jobs are queued.", messages.SUCCESS)


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    list_display = ["id", "type", "member_id", "version", "created_at"]
    ordering = ["-id"]
    show_full_result_count = False
