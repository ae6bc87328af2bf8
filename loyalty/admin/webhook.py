"""Webhooks and their deliveries in the back office."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from loyalty.admin_base import ReadOnlyAdmin
from loyalty.models import WebhookDelivery, WebhookSubscription
from loyalty.services import deliveries


@admin.register(WebhookSubscription)
class WebhookSubscriptionAdmin(ReadOnlyAdmin):
    list_display = ["code", "partner_id", "url", "active", "waiting", "given_up"]
    list_filter = ["active"]
    search_fields = ["code", "url"]

    @admin.display(description="Waiting")
    def waiting(self, row: WebhookSubscription) -> int:
        return row.deliveries.filter(status=WebhookDelivery.Status.PENDING).count()

    @admin.display(description="Given up")
    def given_up(self, row: WebhookSubscription) -> int:
        return row.deliveries.filter(status=WebhookDelivery.Status.DEAD).count()


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    list_display = [
        "created_at",
        "subscription",
        "event",
        "status",
        "attempts",
        "last_status",
        "last_error",
        "next_at",
    ]
    list_filter = ["status", "subscription"]
    list_select_related = ["subscription", "event"]
    ordering = ["-event"]
    actions = ["send_again"]
    show_full_result_count = False

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Deliveries are sent again here, and never edited."""
        return request.user.has_perm("loyalty.change_webhookdelivery")

    @admin.action(description="Send again at once", permissions=["replay"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        for row in queryset.select_related("subscription"):
            deliveries.retry(row.subscription, row.pk, at=timezone.now())
        self.message_user(request, "They go out within a few seconds.", messages.SUCCESS)
