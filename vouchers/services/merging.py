"""What becomes of two members' vouchers, benefits and subscriptions on a merge. Steps."""

from datetime import datetime
from typing import Any

from django.db import connection

from members.services.merge import Conflict
from vouchers.models import BenefitAllocation, BenefitUse, Subscription, Voucher

MOVED: tuple[tuple[str, Any], ...] = (
    ("vouchers", Voucher),
    ("allocations", BenefitAllocation),
    ("uses", BenefitUse),
    ("subscriptions", Subscription),
)


def conflicts_of(giver_id: int, taker_id: int) -> list[Conflict]:
    """Return the plans that both have: the giver's subscription ends with the merge. One query."""
    both = _doubled(giver_id, taker_id).select_related("plan")
    return [Conflict("SUBSCRIPTIONS", each.plan.code, 2, 1) for each in both]


def _doubled(giver_id: int, taker_id: int) -> Any:
    plans = Subscription.objects.filter(member_id=taker_id, ended_at=None).values("plan")
    return Subscription.objects.filter(member_id=giver_id, ended_at=None, plan__in=plans)


def take_over(giver_id: int, taker_id: int, *, at: datetime) -> dict[str, list[str]]:
    """Give the taker what the giver has; return the keys of the rows that moved, by name.

    Of two subscriptions to one plan the giver's ends. Quotas count what both have used.
    """
    assert connection.in_atomic_block
    doubled = _doubled(giver_id, taker_id).values_list("pk", flat=True)
    ended = sorted(str(key) for key in doubled)
    Subscription.objects.filter(pk__in=ended).update(
        status=Subscription.Status.ENDED,
        ended_at=at,
        due_at=None,
        end_reason="The member was merged into one who has the plan.",
    )
    moved = {"subscriptions_ended": ended}
    for name, model in MOVED:
        rows = model.objects.filter(member_id=giver_id).select_for_update(of=("self",))
        keys = list(rows.order_by("pk").values_list("pk", flat=True))
        model.objects.filter(pk__in=keys).update(member_id=taker_id)
        moved[name] = [str(key) for key in keys]
    return moved


def give_back(moved: dict[str, Any], *, giver_id: int, taker_id: int) -> dict[str, int]:
    """Return what a merge moved and the taker still has; what the merge ended stays ended."""
    return {
        name: model.objects.filter(pk__in=moved.get(name, []), member_id=taker_id).update(
            member_id=giver_id
        )
        for name, model in MOVED
    }
