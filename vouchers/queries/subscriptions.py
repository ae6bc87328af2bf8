"""Subscriptions as they stand at an instant, whatever the job has written so far."""

from datetime import datetime

from vouchers.models import Subscription
from vouchers.periods import after

Status = Subscription.Status


def standing(subscription: Subscription, at: datetime) -> str:
    """Return a subscription's status at an instant: what settling it then would write."""
    end = end_of(subscription)
    if subscription.ended_at is not None or (end is not None and at >= end):
        return Status.ENDED
    if subscription.unpaid_since is not None:
        return Status.DUE
    if at >= subscription.period_to and subscription.plan.price:
        return Status.DUE
    if subscription.cancelled_at is not None:
        return Status.CANCELLED
    on_trial = subscription.status == Status.TRIAL and subscription.periods == 0
    return Status.TRIAL if on_trial else Status.ACTIVE


def end_of(subscription: Subscription) -> datetime | None:
    """Return when a subscription ends if nobody does anything more; None if it renews itself."""
    if subscription.ended_at is not None:
        return subscription.ended_at
    grace = subscription.plan.grace
    ends = []
    if subscription.unpaid_since is not None:
        ends.append(after(subscription.unpaid_since, grace))
    if subscription.cancelled_at is not None or not subscription.auto_renew:
        ends.append(subscription.period_to)
    elif subscription.plan.price:
        ends.append(after(subscription.period_to, grace))
    return min(ends, default=None)


def subscriptions_of(
    member_id: int, *, with_ended: bool = False, only_partner: int | None = None
) -> list[Subscription]:
    """Return a member's subscriptions, the newest first. Two queries, with plans and benefits.

    `only_partner` is for a partner that sees no more of the member than what it sold itself.
    """
    rows = (
        Subscription.objects.filter(member_id=member_id)
        .select_related("plan", "plan__tier")
        .prefetch_related("plan__benefits")
        .order_by("-started_at", "-pk")
    )
    if only_partner is not None:
        rows = rows.filter(partner_id=only_partner)
    return list(rows if with_ended else rows.filter(ended_at=None))


def plans_in_force(member_id: int, at: datetime) -> list[Subscription]:
    """Return the subscriptions whose benefits the member has at an instant."""
    found = subscriptions_of(member_id)
    return [each for each in found if each.started_at <= at and standing(each, at) != Status.ENDED]
