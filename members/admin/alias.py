"""The back office's pages of aliases, and of the values that were given up."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.admin import ModelAdmin

from loyalty.admin_base import ReadOnlyAdmin
from loyalty.errors import LoyaltyError
from loyalty.services.use_case import use_case
from members.admin.card import REASON, staff
from members.models import Alias, ReleasedAlias
from members.services import aliases


@admin.register(Alias)
class AliasAdmin(ModelAdmin):
    """Aliases are bound and removed as by the API; a value is not edited, but replaced."""

    list_display = ["value", "provider", "member", "added_at", "verified_at"]
    list_filter = ["provider"]
    list_select_related = ["provider", "member"]
    search_fields = ["value", "member__number"]
    fields = ["member", "provider", "value"]
    raw_id_fields = ["member"]
    show_full_result_count = False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().add_view(request, form_url, extra_context)
        except LoyaltyError as refusal:  # It rolled the page's transaction back.
            self.message_user(request, refusal.detail, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: Alias, form: Any, change: bool) -> None:
        bound = aliases.bind_alias(
            obj.member, obj.provider.code, obj.value, by=staff(request), at=timezone.now()
        )
        obj.pk, obj.value = bound.pk, bound.value

    def delete_model(self, request: HttpRequest, obj: Alias) -> None:
        self._remove(aliases.remove_alias, request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Alias]) -> None:
        for alias in queryset.select_related("provider", "member"):
            self._remove(use_case(aliases.remove_alias), request, alias)

    def _remove(self, remove: Any, request: HttpRequest, alias: Alias) -> None:
        remove(
            alias.member,
            alias.provider.code,
            alias.value,
            by=staff(request),
            at=timezone.now(),
            reason=REASON,
        )


@admin.register(ReleasedAlias)
class ReleasedAliasAdmin(ReadOnlyAdmin):
    """Values in quarantine. Deleting one lets others have it before its time."""

    where_from = "Aliases that were given up lately are kept from others here."
    list_display = ["masked", "provider", "member", "released_at", "until"]
    list_filter = ["provider"]
    list_select_related = ["provider", "member"]
    search_fields = ["member__number"]
    exclude = ["value_hash"]
    ordering = ["until"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("members.delete_releasedalias")
