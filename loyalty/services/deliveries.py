"""From the outbox to the receivers: fanned out per subscription, sent in order per subject.

A worker claims a subject, not rows: an advisory lock on (subscription, subject). A delivery that
fails holds back that subject for that subscription only, and its next try is in the database.
"""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.db import close_old_connections, connection
from django.utils import timezone
from django.utils.module_loading import import_string

from loyalty.errors import NotFound
from loyalty.event_types import FOR_ISSUERS, types_of
from loyalty.models import OutboxEvent, WebhookDelivery, WebhookSubscription
from loyalty.services import receivers, webhooks
from loyalty.services.use_case import use_case

FANNED_OUT_AT_ONCE = 5_000
SUBJECTS_AT_ONCE = 100
THREADS = 8
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=6)
GIVEN_UP_AFTER = timedelta(days=3)
KEPT = timedelta(days=30)

# Replaces a row per event and subscription made one by one. What an open transaction may still
# write before is waited for: nothing is passed over, though ids are not in the order of commits.
_FAN_OUT = """
WITH new AS (
    SELECT id, transaction_id, coalesce(member_id, 0) AS subject
    FROM loyalty_outboxevent
    WHERE (transaction_id, id) > (%(transaction)s, %(event)s)
      AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
      AND type = ANY (%(types)s)
      AND (%(house)s OR partner_id = %(partner)s OR type = ANY (%(issuers)s))
    ORDER BY transaction_id, id LIMIT %(most)s
), made AS (
    INSERT INTO loyalty_webhookdelivery
        (id, subscription_id, event_id, subject, status, attempts, next_at, last_error, created_at)
    SELECT gen_random_uuid(), %(subscription)s, id, subject, 'PENDING', 0, %(at)s, '', %(at)s
    FROM new ON CONFLICT DO NOTHING
)
SELECT count(*), max(transaction_id),
       (SELECT id FROM new ORDER BY transaction_id DESC, id DESC LIMIT 1) FROM new
"""


def fan_out(*, at: datetime) -> int:
    """Make a delivery of each new event for each subscription that wants it; return how many."""
    made = 0
    for key in WebhookSubscription.objects.filter(active=True).values_list("pk", flat=True):
        while count := _fan_out_to(key, at=at):
            made += count
    return made


@use_case
def _fan_out_to(subscription_id: int, *, at: datetime) -> int:
    row = WebhookSubscription.objects.select_for_update().filter(pk=subscription_id).first()
    if row is None or not row.active:
        return 0
    arguments: dict[str, Any] = {
        "transaction": row.seen_transaction,
        "event": row.seen_event,
        "types": types_of(row.events),
        "issuers": list(FOR_ISSUERS),
        "house": row.house,
        "partner": row.partner_id,
        "subscription": row.pk,
        "most": FANNED_OUT_AT_ONCE,
        "at": at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FAN_OUT, arguments)
        count, transaction, event = cursor.fetchone()
    if count:
        row.seen_transaction, row.seen_event = transaction, event
        row.save(update_fields=["seen_transaction", "seen_event"])
    return int(count)


# The subjects whose oldest pending delivery is due, one row each.
_DUE = """
SELECT subscription_id, subject FROM (
    SELECT DISTINCT ON (d.subscription_id, d.subject) d.subscription_id, d.subject, d.next_at
    FROM loyalty_webhookdelivery d
    JOIN loyalty_webhooksubscription s ON s.id = d.subscription_id AND s.active
    WHERE d.status = 'PENDING'
    ORDER BY d.subscription_id, d.subject, d.event_id
) oldest WHERE next_at <= %s ORDER BY next_at LIMIT %s
"""


def deliver(*, now: Callable[[], datetime] = timezone.now) -> int:
    """Send what is due, several subjects side by side; return how many were delivered."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [now(), SUBJECTS_AT_ONCE])
        due = cursor.fetchall()
    if not due:
        return 0

    def run(pair: tuple[int, int]) -> int:
        close_old_connections()
        try:
            return deliver_subject(*pair, now=now)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(run, due))


def deliver_subject(
    subscription_id: int, subject: int, *, now: Callable[[], datetime] = timezone.now
) -> int:
    """Send one subject's deliveries in order until one fails or none is due; return how many went.

    Another worker that holds the subject is left alone.
    """
    keys = [subscription_id, subject % 2**31]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", keys)
        if not cursor.fetchone()[0]:
            return 0
        try:
            delivered = 0
            while _send_next(subscription_id, subject, now()):
                delivered += 1
            return delivered
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", keys)


def _send_next(subscription_id: int, subject: int, at: datetime) -> bool:
    """Send a subject's oldest pending delivery if it is due; return whether it is done with."""
    row = (
        WebhookDelivery.objects.select_related("subscription", "event")
        .filter(
            subscription_id=subscription_id, subject=subject, status=WebhookDelivery.Status.PENDING
        )
        .order_by("event_id")
        .first()
    )
    if row is None or row.next_at > at:
        return False
    body = body_of(row.event, row.subscription)
    if body is None:
        row.status = WebhookDelivery.Status.SKIPPED
        row.save(update_fields=["status"])
        return True
    outcome = receivers.send(
        row.subscription.url,
        body,
        webhook_id=str(row.pk),
        secrets=webhooks.secrets_of(row.subscription, at=at),
        at=at,
    )
    return _note(row, outcome, at)


def _note(row: WebhookDelivery, outcome: receivers.Outcome, at: datetime) -> bool:
    row.attempts += 1
    row.last_status, row.last_error = outcome.status, outcome.error
    if outcome.delivered:
        row.status, row.delivered_at = WebhookDelivery.Status.DELIVERED, at
    elif at >= row.created_at + GIVEN_UP_AFTER:
        row.status = WebhookDelivery.Status.DEAD
    else:
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(row.attempts - 1, 20))
        row.next_at = at + wait * random.uniform(0.8, 1.2)  # noqa: S311 so that not all come at once
    row.save()
    return row.status != WebhookDelivery.Status.PENDING


def _number_of(member_id: int | None) -> str | None:
    """Return a member's number; members live above this app, so settings name who knows it."""
    if member_id is None:
        return None
    number: str | None = import_string(settings.LAUREL_MEMBER_NUMBER)(member_id)
    return number


def body_of(event: OutboxEvent, subscription: WebhookSubscription) -> str | None:
    """Return what a subscriber is told of an event; None if it is not for its eyes."""
    made: Any = event.payload
    for prefix, name in settings.WEBHOOK_OBJECTS.items():
        if event.type.startswith(prefix) and made is None:
            made = import_string(name)(event, subscription)
            if made is None:
                return None
    document = {
        "type": event.type,
        "timestamp": event.created_at,
        "data": {
            "id": event.object_id,
            "member": _number_of(event.member_id),
            "version": event.version,
            "object": made,
        },
    }
    return msgspec.json.encode(document).decode()


@use_case
def retry(subscription: WebhookSubscription, delivery_id: Any, *, at: datetime) -> WebhookDelivery:
    """Let a delivery be tried again at once, also one that was delivered or given up.

    :raises NotFound: if the subscription has no such delivery.
    """
    row = subscription.deliveries.select_for_update().filter(pk=delivery_id).first()
    if row is None:
        raise NotFound("No such delivery.")
    row.status, row.next_at, row.created_at = WebhookDelivery.Status.PENDING, at, at
    row.save(update_fields=["status", "next_at", "created_at"])
    return row


def forget_old(*, at: datetime) -> int:
    """Delete what was delivered, skipped or given up 30 days ago, and events nobody waits for."""
    over = WebhookDelivery.objects.exclude(status=WebhookDelivery.Status.PENDING)
    count = over.filter(created_at__lt=at - KEPT).delete()[0]
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM loyalty_outboxevent o WHERE created_at < %s AND NOT EXISTS"
            " (SELECT 1 FROM loyalty_webhookdelivery d WHERE d.event_id = o.id)",
            [at - KEPT],
        )
    return count
