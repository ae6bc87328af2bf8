"""Webhooks and their deliveries in the back office."""

import json
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import action

from loyalty.admin_base import ReadOnlyAdmin
from loyalty.models import WebhookDelivery, WebhookSubscription
from loyalty.services import deliveries, webhooks


@admin.register(WebhookSubscription)
class WebhookSubscriptionAdmin(ReadOnlyAdmin):
    where_from = "API clients subscribe by PUT /webhooks/{code}/."
    list_display = ["code", "partner_id", "url", "active", "waiting", "given_up"]
    list_filter = ["active"]
    search_fields = ["code", "url"]
    readonly_fields = ["log"]
    actions = ["pause", "resume"]

    def has_switch_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Subscriptions are their owners'; here they are stopped and let go on, not edited."""
        return request.user.has_perm("loyalty.change_webhooksubscription")

    @admin.action(description="Pause: nothing is told", permissions=["switch"])
    def pause(self, request: HttpRequest, queryset: QuerySet[WebhookSubscription]) -> None:
        self._switch(request, queryset, active=False)

    @admin.action(description="Resume, with what happens from now on", permissions=["switch"])
    def resume(self, request: HttpRequest, queryset: QuerySet[WebhookSubscription]) -> None:
        self._switch(request, queryset, active=True)

    def _switch(
        self, request: HttpRequest, queryset: QuerySet[WebhookSubscription], *, active: bool
    ) -> None:
        changed = 0
        for row in queryset:
            with transaction.atomic():
                put = webhooks.put(
                    webhooks.Owner(row.partner_id, row.house),
                    row.code,
                    url=row.url,
                    events=row.events,
                    active=active,
                    version=row.version,
                    at=timezone.now(),
                )
            changed += put.changed
        self.message_user(request, f"{changed} changed.", messages.SUCCESS)

    @admin.display(description="Deliveries")
    def log(self, row: WebhookSubscription) -> str:
        """Lead to the log of what was sent to it."""
        page = reverse("admin:loyalty_webhookdelivery_changelist")
        shown = f"{row.deliveries.count():,} in the log"
        link = '<a class="underline" href="{}?subscription__id__exact={}">{}</a>'
        return format_html(link, page, row.pk, shown)

    @admin.display(description="Waiting")
    def waiting(self, row: WebhookSubscription) -> int:
        return row.deliveries.filter(status=WebhookDelivery.Status.PENDING).count()

    @admin.display(description="Given up")
    def given_up(self, row: WebhookSubscription) -> int:
        return row.deliveries.filter(status=WebhookDelivery.Status.DEAD).count()


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    where_from = "What happens is delivered to those who subscribed to it."
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
    actions_detail = ["send_this_again"]
    readonly_fields = ["body"]
    show_full_result_count = False

    @admin.display(description="What it tells, as it would be sent now")
    def body(self, row: WebhookDelivery) -> str:
        """Show the body, which is made when it is sent."""
        made = deliveries.body_of(row.event, row.subscription)
        text = json.dumps(json.loads(made), indent=1) if made else "Not for this subscriber's eyes."
        return format_html("<pre>{}</pre>", text)

    @action(description="Send again at once", url_path="again", permissions=["replay"])
    def send_this_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Queue one delivery again, also one that was delivered or given up."""
        rows = WebhookDelivery.objects.select_related("subscription")
        row = get_object_or_404(rows, pk=object_id)
        page = reverse("admin:loyalty_webhookdelivery_change", args=[row.pk])
        if request.method == "POST":
            deliveries.retry(row.subscription, row.pk, at=timezone.now())
            self.message_user(request, "It goes out within a few seconds.", messages.SUCCESS)
            return redirect(page)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Send it to {row.subscription} again",
            "text": "It has the same webhook-id as before, so that a receiver can drop it.",
            "verb": "Send it",
            "back": page,
        }
        return render(request, "loyalty/ask.html", context)

    def has_replay_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Deliveries are sent again here, and never edited."""
        return request.user.has_perm("loyalty.change_webhookdelivery")

    @admin.action(description="Send again at once", permissions=["replay"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        for row in queryset.select_related("subscription"):
            deliveries.retry(row.subscription, row.pk, at=timezone.now())
        self.message_user(request, "They go out within a few seconds.", messages.SUCCESS)
