"""Subscribing, renewing and cancelling. Laurel never charges: the shop says what was paid."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import uuid_utils.compat
from django.db import connection

from ledger.queries.configuration import configuration
from ledger.services import posting
from ledger.services.posting import LockedBook
from loyalty.caller import Actor
from loyalty.errors import FieldError, LoyaltyError, ValidationFailed
from loyalty.services import outbox
from loyalty.services.use_case import use_case
from members.errors import StageForbids
from members.models import Member
from members.queries.segments import segment_codes
from members.services import activity
from vouchers import periods
from vouchers.errors import (
    AlreadySubscribed,
    MinimumTerm,
    NotEligible,
    PlanNotFound,
    SubscriptionNotFound,
    SubscriptionOver,
)
from vouchers.models import BenefitUse, Subscription, SubscriptionPlan
from vouchers.services import plan_tier, renewals

SUBSCRIBING_STAGES = frozenset({Member.Stage.PENDING, Member.Stage.ACTIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeRequest:
    """A plan for a member, and how it was paid: PAID, FREE or (not yet) DUE."""

    plan: str
    partner_id: int
    by: Actor
    start: datetime | None = None
    price: Decimal | None = None
    currency: str | None = None
    payment: str = "DUE"
    payment_reference: str = ""
    payment_method: str = ""
    auto_renew: bool = True
    renews: UUID | None = None
    change: str | None = None


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A subscription as it stands now, and what is left of the one that it replaced, in money."""

    subscription: Subscription
    credit: Decimal | None = None


def subscribe(book: LockedBook, request: SubscribeRequest, *, at: datetime) -> Subscribed:
    """Subscribe a member to a plan, or renew, extend or upgrade; a step on the locked book.

    :raises PlanNotFound, SubscriptionNotFound, AlreadySubscribed, SubscriptionOver: as named.
    :raises StageForbids, NotEligible: if the plan is not for this member.
    :raises ValidationFailed: if price, payment or start cannot be.
    """
    assert connection.in_atomic_block
    plan = SubscriptionPlan.objects.filter(code=request.plan).first()
    if plan is None or not (plan.active or request.renews):
        raise PlanNotFound
    _check_payment(plan, request, at)
    if book.member.stage not in SUBSCRIBING_STAGES:
        raise StageForbids(stage=book.member.stage, action="subscribe")
    running = _running(book.member.id, at)
    if request.renews is not None:
        return _renew(request.renews, plan, running, request, at)
    _check_eligible(book, plan, at)
    mine = next((each for each in running if each.plan_id == plan.pk), None)
    if mine is not None:
        if request.change != "EXTEND":
            raise AlreadySubscribed(subscription=str(mine.pk), plan=plan.code)
        return _pay_next(mine, request, at)
    credit = _leave_group(plan, running, request, at)
    return Subscribed(_begin(book, plan, request, at), credit)


def _check_payment(plan: SubscriptionPlan, request: SubscribeRequest, at: datetime) -> None:
    if request.currency not in (None, plan.currency):
        message = f"The plan is priced in {plan.currency}."
        raise ValidationFailed([FieldError("/price/currency", "OTHER_CURRENCY", message)])
    price = plan.price if request.price is None else request.price
    if request.payment == "FREE" and price:
        message = f"The price is {price} {plan.currency}: PAID or DUE."
        raise ValidationFailed([FieldError("/payment/status", "NOT_FREE", message)])
    if request.start is not None and request.start > at:
        message = "A subscription starts now; leave start out, or send it then."
        raise ValidationFailed([FieldError("/start", "IN_FUTURE", message)])


def _running(member_id: int, at: datetime) -> list[Subscription]:
    """Lock and settle what the member is subscribed to."""
    rows = list(
        Subscription.objects.select_for_update(of=("self",))
        .select_related("plan")
        .filter(member_id=member_id, ended_at=None)
        .order_by("pk")
    )
    for row in rows:
        if row.due_at is not None and row.due_at <= at:
            renewals.settle(row, at=at)
    return [row for row in rows if row.ended_at is None]


def _check_eligible(book: LockedBook, plan: SubscriptionPlan, at: datetime) -> None:
    """:raises NotEligible: if the plan is for other tiers, segments or countries."""
    if plan.for_tiers and book.member.tier not in plan.for_tiers:
        detail = f"The plan is for members of {', '.join(plan.for_tiers)}."
        raise NotEligible(reason="TIER", detail=detail)
    if plan.for_segments and not set(segment_codes(book.member.id, at)) & set(plan.for_segments):
        detail = f"The plan is for members of {', '.join(plan.for_segments)}."
        raise NotEligible(reason="SEGMENT", detail=detail)
    if plan.for_countries:
        address = Member.objects.values_list("address", flat=True).get(pk=book.member.id)
        if address.get("country") not in plan.for_countries:
            detail = f"The plan is for members in {', '.join(plan.for_countries)}."
            raise NotEligible(reason="COUNTRY", detail=detail)


def _renew(
    key: UUID,
    plan: SubscriptionPlan,
    running: list[Subscription],
    request: SubscribeRequest,
    at: datetime,
) -> Subscribed:
    row = next((each for each in running if each.pk == key), None)
    if row is None or row.plan_id != plan.pk:
        known = Subscription.objects.filter(pk=key, plan=plan).first()
        if known is None or known.ended_at is None:
            raise SubscriptionNotFound
        raise SubscriptionOver(status=known.status)
    return _pay_next(row, request, at)


def _pay_next(row: Subscription, request: SubscribeRequest, at: datetime) -> Subscribed:
    """Take a payment: for the period that is owed, or else for the next one."""
    if request.payment == "DUE":
        message = "A renewal is posted when it was paid."
        raise ValidationFailed([FieldError("/payment/status", "NOT_PAID", message)])
    if row.unpaid_since is not None:
        row.unpaid_since = None
    else:
        renewals.advance(row)
    row.cancelled_at, row.auto_renew = None, request.auto_renew
    row.price = row.plan.price if request.price is None else request.price
    row.payment_reference, row.payment_method = request.payment_reference, request.payment_method
    row.status = Subscription.Status.ACTIVE
    renewals.settle(row, at=at)
    _note(row, "SUBSCRIPTION_RENEWED", "subscription.renewed", request, at)
    return Subscribed(row)


def _leave_group(
    plan: SubscriptionPlan,
    running: list[Subscription],
    request: SubscribeRequest,
    at: datetime,
) -> Decimal | None:
    """End what the plan replaces; return what is left of it, in money of the plan it was."""
    others = [each for each in running if plan.group and each.plan.group == plan.group]
    if not others:
        return None
    if request.change != "UPGRADE":
        raise AlreadySubscribed(subscription=str(others[0].pk), plan=others[0].plan.code)
    credit = Decimal("0.00")
    for each in others:
        if each.unpaid_since is None and each.status != Subscription.Status.TRIAL:
            credit += periods.share_left(each.price, each.period_from, each.period_to, at)
        renewals.end(each, at, reason=f"Replaced by {plan.code}.", by=request.by)
        each.save()
    return credit


def _begin(
    book: LockedBook, plan: SubscriptionPlan, request: SubscribeRequest, at: datetime
) -> Subscription:
    zone = configuration(book.epoch).zone
    before = Subscription.objects.filter(member_id=book.member.id, plan=plan).exists()
    on_trial = bool(plan.trial) and not before and request.payment != "PAID"
    first_period = periods.end_after(at, plan.trial if on_trial else plan.period, 1, zone)
    price = plan.price if request.price is None else request.price
    owed = request.payment == "DUE" and not on_trial and price
    row = Subscription(
        id=uuid_utils.compat.uuid7(),
        member_id=book.member.id,
        plan=plan,
        partner_id=request.partner_id,
        status=Subscription.Status.TRIAL if on_trial else Subscription.Status.ACTIVE,
        started_at=at,
        # After a trial, whole periods are counted from the day on which it ended.
        anchor=first_period - timedelta(microseconds=1) if on_trial else at,
        periods=0 if on_trial else 1,
        period_from=at,
        period_to=first_period,
        price=0 if on_trial else price,
        currency=plan.currency,
        payment_reference=request.payment_reference,
        payment_method=request.payment_method,
        unpaid_since=at if owed else None,
        auto_renew=request.auto_renew,
    )
    plan_tier.hold(row, at=at, by=request.by)
    renewals.settle(row, at=at)
    _note(row, "SUBSCRIPTION_STARTED", "subscription.started", request, at)
    return row


def _note(
    row: Subscription, kind: str, event: str, request: SubscribeRequest, at: datetime
) -> None:
    data = {
        "subscription": str(row.pk),
        "plan": row.plan.code,
        "period_to": row.period_to.isoformat(),
    }
    activity.record(row.member_id, kind, by=request.by, at=at, data=data)
    outbox.record(
        event,
        at=at,
        object_id=row.pk,
        member_id=row.member_id,
        partner_id=row.partner_id,
        payload=data,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    """Subscriptions to cancel, NOW or at PERIOD_END."""

    subscriptions: list[UUID]
    when: str
    by: Actor
    reason: str = ""


@dataclass(slots=True)
class Cancelled:
    """What became of one subscription: its end and what the shop pays back, or why it stays."""

    id: UUID
    subscription: Subscription | None = None
    refund: Decimal | None = None
    benefits_lost: list[str] = field(default_factory=list)
    refusal: LoyaltyError | None = None


def cancel(book: LockedBook, request: CancelRequest, *, at: datetime) -> list[Cancelled]:
    """Cancel subscriptions of a member, each by itself; a step on the locked book."""
    assert connection.in_atomic_block
    running = {each.pk: each for each in _running(book.member.id, at)}
    outcomes = []
    for key in request.subscriptions:
        outcome = Cancelled(key)
        try:
            _cancel(book.member.id, running, outcome, request, at)
        except (SubscriptionNotFound, SubscriptionOver, MinimumTerm) as refusal:
            outcome.refusal = refusal
        outcomes.append(outcome)
    return outcomes


@use_case
def cancel_alone(member_id: int, request: CancelRequest, *, at: datetime) -> list[Cancelled]:
    """Cancel subscriptions of a member from the back office; as `cancel`, in its own unit."""
    return cancel(posting.lock({"id": member_id}, at=at), request, at=at)


def _cancel(
    member_id: int,
    running: dict[UUID, Subscription],
    outcome: Cancelled,
    request: CancelRequest,
    at: datetime,
) -> None:
    row = running.get(outcome.id)
    if row is None:
        known = Subscription.objects.filter(pk=outcome.id, member_id=member_id).first()
        raise SubscriptionOver(status=known.status) if known else SubscriptionNotFound
    if row.cancelled_at is not None and request.when == "PERIOD_END":
        raise SubscriptionOver(status="CANCELLED")
    plan = row.plan
    if plan.minimum_term and request.when == "NOW":
        zone = configuration().zone
        term = periods.end_after(row.started_at, plan.minimum_term, 1, zone)
        if at < term:
            raise MinimumTerm(until=term)
    others = {
        benefit
        for each in running.values()
        if each.pk != row.pk
        for benefit in each.plan.benefits.values_list("code", flat=True)
    }
    mine = plan.benefits.order_by("code").values_list("code", flat=True)
    outcome.benefits_lost = [code for code in mine if code not in others]
    outcome.subscription = row
    if request.when == "NOW":
        outcome.refund = refund_of(row, at)
        renewals.end(row, at, reason=request.reason or "Cancelled.", by=request.by)
        row.cancelled_at = at
        row.save()
        del running[row.pk]
        return
    row.cancelled_at, outcome.refund = at, Decimal("0.00")
    renewals.settle(row, at=at)
    data = {"subscription": str(row.pk), "plan": plan.code, "ends": row.period_to.isoformat()}
    activity.record(
        member_id,
        "SUBSCRIPTION_CANCELLED",
        by=request.by,
        at=at,
        reason=request.reason,
        data=data,
    )


def refund_of(row: Subscription, at: datetime) -> Decimal:
    """Return what the shop pays back if a subscription ends at `at`, by the plan's rule."""
    nothing = Decimal("0.00")
    if row.unpaid_since is not None or row.plan.refund == SubscriptionPlan.Refund.NONE:
        return nothing
    if row.plan.refund == SubscriptionPlan.Refund.IF_UNUSED and was_used(row):
        return nothing
    return periods.share_left(row.price, row.period_from, row.period_to, at)


def was_used(row: Subscription) -> bool:
    """Return whether a benefit of the plan was used in the period that is paid for."""
    return BenefitUse.objects.filter(
        subscription=row, at__gte=row.period_from, undone_at=None
    ).exists()
