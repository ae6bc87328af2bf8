"""What happens to subscriptions by themselves: notices, renewals, grace and ends.

A change of a subscription settles it first, as postings settle a book; the job reaches those that
nobody touches. Safe to repeat: what has happened is no longer due.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from ledger.queries.configuration import configuration
from loyalty.caller import Actor
from loyalty.services import outbox
from loyalty.services.use_case import use_case
from members.services import activity
from vouchers import periods
from vouchers.models import Subscription
from vouchers.queries.subscriptions import end_of, standing
from vouchers.services import plan_tier

CHUNK = 500
BY = Actor.system("subscriptions")


def settle(subscription: Subscription, *, at: datetime) -> None:
    """Bring one locked subscription up to `at`, each step at its own instant; a step."""
    assert connection.in_atomic_block
    while (due := _next(subscription)) is not None and due[0] <= at:
        instant, step = due
        step(subscription, instant)
    subscription.status = standing(subscription, at)
    following = _next(subscription)
    subscription.due_at = following[0] if following else None
    subscription.save()


Step = Callable[[Subscription, datetime], None]


def _next(subscription: Subscription) -> tuple[datetime, Step] | None:
    """Return the next instant at which something happens by itself, and what."""
    if subscription.ended_at is not None:
        return None
    events: list[tuple[datetime, Step]] = []
    renews = subscription.auto_renew and subscription.cancelled_at is None
    if renews and not subscription.announced and subscription.plan.price:
        told = periods.before(subscription.period_to, subscription.plan.notice)
        events.append((told, _announce))
    if renews and not subscription.plan.price:
        events.append((subscription.period_to, _renew_free))
    if (end := end_of(subscription)) is not None:
        events.append((end, _end))
    return min(events, key=lambda event: event[0], default=None)


def _announce(subscription: Subscription, instant: datetime) -> None:
    subscription.announced = True
    _tell("subscription.renewal_due", subscription, instant)


def _renew_free(subscription: Subscription, instant: datetime) -> None:
    advance(subscription)
    _tell("subscription.renewed", subscription, instant)


def advance(subscription: Subscription) -> None:
    """Let the next period follow the one that is paid for; counted from the anchor."""
    zone = configuration().zone
    subscription.periods += 1
    subscription.period_from = subscription.period_to
    subscription.period_to = periods.end_after(
        subscription.anchor, subscription.plan.period, subscription.periods, zone
    )
    subscription.announced = False
    plan_tier.hold(subscription, at=subscription.period_from, by=BY)


def _end(subscription: Subscription, instant: datetime) -> None:
    unpaid = subscription.cancelled_at is None and subscription.auto_renew
    reason = "It was not paid for." if unpaid else "Its last period has passed."
    end(subscription, instant, reason=reason, by=BY)


def end(subscription: Subscription, instant: datetime, *, reason: str, by: Actor) -> None:
    """End a subscription at an instant: its benefits and its tier go; a step."""
    subscription.ended_at, subscription.end_reason = instant, reason
    subscription.status, subscription.due_at = Subscription.Status.ENDED, None
    plan_tier.let_go(subscription, at=instant)
    data = {"subscription": str(subscription.pk), "plan": subscription.plan.code}
    activity.record(
        subscription.member_id,
        "SUBSCRIPTION_ENDED",
        by=by,
        at=instant,
        reason=reason,
        data=data,
    )
    _tell("subscription.ended", subscription, instant)


def _tell(event: str, subscription: Subscription, at: datetime) -> None:
    outbox.record(
        event,
        at=at,
        object_id=subscription.pk,
        member_id=subscription.member_id,
        partner_id=subscription.partner_id,
        payload={
            "subscription": str(subscription.pk),
            "plan": subscription.plan.code,
            "period_to": subscription.period_to.isoformat(),
        },
    )


@dataclass(frozen=True, slots=True)
class Chunk:
    """How many subscriptions a chunk settled; none at the end."""

    settled: int


@use_case
def settle_chunk(*, at: datetime, at_most: int = CHUNK) -> Chunk:
    """Settle the subscriptions that are due longest; those that are being changed are left.

    Whoever changes one settles it, so a locked row needs nobody else.
    """
    due = (
        Subscription.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("plan")
        .filter(due_at__lte=at)
        .order_by("due_at")[:at_most]
    )
    rows = list(due)
    for subscription in rows:
        settle(subscription, at=at)
    return Chunk(len(rows))
