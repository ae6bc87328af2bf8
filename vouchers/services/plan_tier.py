"""The tier that a plan gives its subscribers: an override that lasts as long as the subscription.

Tiers are moved by the ladder's own code, which stands above this app; what is written here is
honoured by whoever looks at the member next, and by the sweep of the minute.
"""

from datetime import datetime

from django.db import connection

from loyalty.caller import Actor
from members.models import Member, TierCheck, TierOverride
from vouchers.models import Subscription


def hold(subscription: Subscription, *, at: datetime, by: Actor) -> None:
    """Give a subscriber the plan's tier, unless the member stands as high already; a step.

    Looked at anew with each period, since the rules may have taken the member down meanwhile.
    """
    assert connection.in_atomic_block
    tier = subscription.plan.tier
    if tier is None or subscription.tier_override_id is not None:
        return
    member = Member.objects.select_related("tier").get(pk=subscription.member_id)
    if member.tier.rank >= tier.rank:
        return
    override = TierOverride.objects.create(
        member=member,
        tier=tier,
        starts_at=at,
        reason=f"Subscription to {subscription.plan.code}",
        actor_kind=by.kind,
        actor=by.name,
        created_at=at,
    )
    subscription.tier_override_id = override.pk
    _look_again(subscription.member_id, at)


def let_go(subscription: Subscription, *, at: datetime) -> None:
    """End the tier that a subscription held; the rules decide again; a step."""
    assert connection.in_atomic_block
    if subscription.tier_override_id is None:
        return
    override = TierOverride.objects.select_for_update().get(pk=subscription.tier_override_id)
    subscription.tier_override_id = None
    if override.applied_at is None and override.starts_at >= at:
        override.delete()
        return
    override.ends_at = at
    override.save(update_fields=["ends_at"])
    _look_again(subscription.member_id, at)


def _look_again(member_id: int, at: datetime) -> None:
    TierCheck.objects.get_or_create(member_id=member_id, due_at=at)
