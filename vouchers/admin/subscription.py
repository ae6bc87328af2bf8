"""Plans and subscriptions in the back office."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin

from loyalty.admin_base import ReadOnlyAdmin
from loyalty.caller import Actor
from vouchers.models import Subscription, SubscriptionPlan
from vouchers.queries.subscriptions import end_of, standing
from vouchers.services import subscription as subscriptions


@admin.register(SubscriptionPlan)
class SubscriptionPlanAdmin(ModelAdmin):
    list_display = ["code", "name", "price", "currency", "period", "trial", "tier", "active"]
    list_filter = ["active"]
    list_select_related = ["tier"]
    search_fields = ["code", "name"]
    filter_horizontal = ["benefits"]

    def get_readonly_fields(
        self, request: HttpRequest, obj: SubscriptionPlan | None = None
    ) -> list[str]:
        """Subscriptions were sold by the plan's code, currency and period, which stay."""
        return ["code", "currency", "period"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # It is withdrawn: members have it.


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    where_from = "Members subscribe to plans through a till or an app."
    list_display = ["member", "plan", "now", "started_at", "period_to", "ends", "price", "currency"]
    list_filter = ["plan", "status"]
    list_select_related = ["member", "plan"]
    search_fields = ["member__number", "payment_reference"]
    ordering = ["-started_at"]
    actions = ["cancel_now", "cancel_at_end"]
    show_full_result_count = False

    @admin.display(description="Status")
    def now(self, row: Subscription) -> str:
        return Subscription.Status(standing(row, timezone.now())).label

    @admin.display(description="Ends")
    def ends(self, row: Subscription) -> Any:
        return end_of(row)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Subscriptions are cancelled here, and never edited."""
        return request.user.has_perm("vouchers.change_subscription")

    @admin.action(description="Cancel at the end of the period", permissions=["cancel"])
    def cancel_at_end(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        self._cancel(request, queryset, "PERIOD_END")

    @admin.action(description="Cancel now; the shop refunds what is told", permissions=["cancel"])
    def cancel_now(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        self._cancel(request, queryset, "NOW")

    def _cancel(self, request: HttpRequest, queryset: QuerySet[Subscription], when: str) -> None:
        by = Actor.staff(request.user.get_username())
        for row in queryset.select_related("member"):
            wanted = subscriptions.CancelRequest(subscriptions=[row.pk], when=when, by=by)
            (done,) = subscriptions.cancel_alone(row.member_id, wanted, at=timezone.now())
            if done.refusal is not None:
                text, level = f"{row.member}: {done.refusal.detail}", messages.WARNING
            else:
                text, level = f"{row.member}: refund {done.refund} {row.currency}", messages.SUCCESS
            self.message_user(request, text, level)
