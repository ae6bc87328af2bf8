"""Webhooks: a partner's own subscriptions, their secrets, and what was delivered."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from django.db import transaction
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from loyalty.api.fields import END, Answer, Body
from loyalty.api.openapi import operation
from loyalty.api.pagination import LIMIT, LIMIT_MAX, make_cursor, read_cursor
from loyalty.api.views import ProgramViewSet
from loyalty.errors import VersionConflict
from loyalty.models import WebhookDelivery, WebhookSubscription
from loyalty.scopes import Scope
from loyalty.services import deliveries, webhooks
from loyalty.services.webhooks import Owner

Event = Annotated[str, Meta(pattern=r"^[a-z]+\.([a-z_]+|\*)" + END, max_length=64)]


class WebhookBody(Body, kw_only=True):
    """Where to send, and which events; `points.*` is a group of them."""

    url: Annotated[str, Meta(min_length=8, max_length=500, pattern=r"^[\x21-\x7e]+" + END)]
    events: Annotated[list[Event], Meta(min_length=1, max_length=50)]
    active: bool = True


class WebhookAnswer(Answer, kw_only=True):
    """A subscription. The secret is there once: when it is new."""

    code: str
    url: str
    events: list[str]
    active: bool
    version: int
    second_secret_until: datetime | None
    secret: str | msgspec.UnsetType = msgspec.UNSET


class WebhooksAnswer(Answer, kw_only=True):
    """The caller's subscriptions."""

    results: list[WebhookAnswer]


class DeliveriesQuery(Body, kw_only=True):
    """A page of the delivery log."""

    status: Literal["PENDING", "DELIVERED", "DEAD", "SKIPPED"] | None = None
    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = LIMIT


class DeliveryAnswer(Answer, kw_only=True):
    """One event on its way: its `webhook-id`, and how the last try went."""

    id: UUID
    type: str
    status: str
    attempts: int
    next_at: datetime | None
    last_status: int | None
    last_error: str | None
    created_at: datetime
    delivered_at: datetime | None


class DeliveriesAnswer(Answer, kw_only=True):
    """Deliveries, those last that were made first."""

    results: list[DeliveryAnswer]
    next: str | None


class NothingSent(Body, kw_only=True):
    """An empty object: there is nothing to say."""


class WebhookViewSet(ProgramViewSet):
    """What a partner wants to be told of."""

    action_scopes = dict.fromkeys(
        ("list", "retrieve", "put", "delete", "rotate", "deliveries", "retry"),
        Scope.WEBHOOKS_WRITE,
    )

    @property
    def owner(self) -> Owner:
        """Whose subscriptions the caller sees."""
        return Owner(self.caller.partner_id, self.caller.house)

    @operation("Get Webhooks", answer=WebhooksAnswer)
    def list(self, request: Request) -> HttpResponse:
        mine = WebhookSubscription.objects.filter(partner_id=self.caller.partner_id)
        results = [webhook_answer(row) for row in mine.order_by("code")]
        return self.answer(WebhooksAnswer(results=results))

    @operation("Get Webhook", answer=WebhookAnswer)
    def retrieve(self, request: Request, code: str) -> HttpResponse:
        row = webhooks.subscription_of(self.owner, code)
        return self.answer(webhook_answer(row), headers={"ETag": f'"{row.version}"'})

    @operation("Put Webhook", body=WebhookBody, answer=WebhookAnswer, errors=(VersionConflict,))
    def put(self, request: Request, code: str) -> HttpResponse:
        body, version = self.body(WebhookBody), self.if_match()
        with transaction.atomic():
            done = webhooks.put(
                self.owner,
                code,
                url=body.url,
                events=list(dict.fromkeys(body.events)),
                active=body.active,
                version=version,
                at=self.now(),
            )
        answer = webhook_answer(done.subscription, done.secret)
        status = 201 if done.secret else 200
        return self.answer(
            answer, status=status, headers={"ETag": f'"{done.subscription.version}"'}
        )

    @operation("Delete Webhook", answer=WebhookAnswer)
    def delete(self, request: Request, code: str) -> HttpResponse:
        row = webhooks.subscription_of(self.owner, code)
        answer = webhook_answer(row)
        row.delete()
        return self.answer(answer)

    @operation("Rotate Webhook Secret", body=NothingSent, answer=WebhookAnswer)
    def rotate(self, request: Request, code: str) -> HttpResponse:
        self.body(NothingSent)
        with transaction.atomic():
            row, secret = webhooks.rotate(self.owner, code, at=self.now())
        return self.answer(webhook_answer(row, secret))

    @operation("Get Webhook Deliveries", answer=DeliveriesAnswer, query=DeliveriesQuery)
    def deliveries(self, request: Request, code: str) -> HttpResponse:
        query = self.query(DeliveriesQuery)
        row = webhooks.subscription_of(self.owner, code)
        rows = row.deliveries.select_related("event").order_by("-event_id")
        if query.status is not None:
            rows = rows.filter(status=query.status)
        filters = [row.pk, query.status]
        if (before := read_cursor(query.cursor, filters)) is not None:
            rows = rows.filter(event_id__lt=before)
        page = [*rows[: query.limit + 1]]
        more, page = len(page) > query.limit, page[: query.limit]
        cursor = make_cursor(page[-1].event_id, filters) if more else None
        results = [delivery_answer(each) for each in page]
        return self.answer(DeliveriesAnswer(results=results, next=cursor))

    @operation("Retry Webhook Delivery", body=NothingSent, answer=DeliveryAnswer)
    def retry(self, request: Request, code: str, id: UUID) -> HttpResponse:  # noqa: A002
        self.body(NothingSent)
        row = webhooks.subscription_of(self.owner, code)
        return self.answer(delivery_answer(deliveries.retry(row, id, at=self.now())))


def webhook_answer(row: WebhookSubscription, secret: str | None = None) -> WebhookAnswer:
    """Return a subscription as it is answered, with its secret where that is new."""
    return WebhookAnswer(
        code=row.code,
        url=row.url,
        events=row.events,
        active=row.active,
        version=row.version,
        second_secret_until=row.second_secret_until,
        secret=msgspec.UNSET if secret is None else secret,
    )


def delivery_answer(row: WebhookDelivery) -> DeliveryAnswer:
    """Return a delivery as it is answered."""
    pending = row.status == WebhookDelivery.Status.PENDING
    return DeliveryAnswer(
        id=row.pk,
        type=row.event.type,
        status=row.status,
        attempts=row.attempts,
        next_at=row.next_at if pending else None,
        last_status=row.last_status,
        last_error=row.last_error or None,
        created_at=row.created_at,
        delivered_at=row.delivered_at,
    )
