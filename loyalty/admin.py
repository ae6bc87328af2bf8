"""The back office's pages of the programme."""

from typing import Any

from django import forms
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
from loyalty.errors import ValidationFailed
from loyalty.models import IdentityProvider, Job, Master, MasterEntity, OutboxEvent, Program, User
from loyalty.services import jobs, masters

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
            "retired",
        ]

    def clean_parent(self) -> Master | None:
        parent: Master | None = self.cleaned_data["parent"]
        try:
            masters.check_parent(self.instance, parent)
        except ValidationFailed as error:
            raise forms.ValidationError(error.errors[0].message) from None
        return parent


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
        count = queryset.update(retired=True)
        self.message_user(request, f"{count} retired.", messages.SUCCESS)


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
