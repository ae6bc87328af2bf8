"""Subscription, Get Member Subscription, Subscription Cancellation, and the plans there are."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from ledger.kernel.dates import last_valid_date
from ledger.queries.configuration import configuration
from ledger.services.posting import LockedBook
from loyalty.api.fields import (
    Answer,
    Body,
    Code,
    Instant,
    Money,
    Name,
    Reason,
    Reference,
    Short,
    check_instant,
)
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.caller import CallerKind
from loyalty.digest import digest_of
from loyalty.errors import FieldError, ValidationFailed
from loyalty.scopes import Scope
from members.queries import resolve
from members.queries.visibility import sees_person
from vouchers.errors import (
    AlreadySubscribed,
    NotEligible,
    PlanNotFound,
    SubscriptionNotFound,
    SubscriptionOver,
)
from vouchers.models import Subscription, SubscriptionPlan
from vouchers.queries.subscriptions import end_of, standing, subscriptions_of
from vouchers.services import postings, subscription
from vouchers.services.postings import Order


class PaymentBody(Body, kw_only=True):
    """How a subscription was paid; Laurel itself never charges."""

    status: Literal["PAID", "FREE", "DUE"]
    reference: Short | None = None
    method: Name | None = None


class SubscribeBody(Body, kw_only=True):
    """A plan to subscribe to; with `renews`, the next period of a subscription there is."""

    plan: Code
    reference: Reference
    start: Instant | None = None
    price: Money | None = None
    payment: PaymentBody | None = None
    auto_renew: bool = True
    renews: UUID | None = None
    change: Literal["EXTEND", "UPGRADE"] | None = None


class CancelBody(Body, kw_only=True):
    """Subscriptions to cancel: now, or at the end of their period."""

    subscriptions: Annotated[list[UUID], Meta(min_length=1, max_length=100)]
    when: Literal["NOW", "PERIOD_END"] = "PERIOD_END"
    reason: Reason | None = None
    reference: Reference


class SubscriptionsQuery(Body, kw_only=True):
    """Whether to show those that have ended, too."""

    ended: bool = False


class PeriodAnswer(Answer, kw_only=True):
    """The period that is paid for; its end is exclusive."""

    start: datetime = msgspec.field(name="from")
    end: datetime = msgspec.field(name="to")
    last_valid_date: date | None


class PaymentAnswer(Answer, kw_only=True):
    """How the period was paid."""

    status: str
    reference: str | None
    method: str | None


class SubscriptionAnswer(Answer, kw_only=True):
    """A subscription as it stands. `ends_at` is null where it renews itself."""

    id: UUID
    member: str
    plan: str
    name: str
    status: str
    started_at: datetime
    period: PeriodAnswer
    renewal_due: datetime | None
    ends_at: datetime | None
    auto_renew: bool
    price: Money
    payment: PaymentAnswer
    tier: str | None
    benefits: list[str]
    credit: Money | msgspec.UnsetType = msgspec.UNSET


class SubscriptionsAnswer(Answer, kw_only=True):
    """A member's subscriptions, the newest first."""

    results: list[SubscriptionAnswer]


class CancellationAnswer(Answer, kw_only=True):
    """What became of one subscription, and what the shop pays back."""

    id: UUID
    status: str
    ends_at: datetime | None = None
    refund: Money | None = None
    benefits_lost: list[str] = []
    problem: dict[str, Any] | None = None


class CancellationsAnswer(Answer, kw_only=True):
    """The outcome of each subscription, in the order asked for."""

    items: list[CancellationAnswer]


class SubscriptionViewSet(ProgramViewSet):
    """What members subscribe to."""

    action_scopes = {
        "subscribe": Scope.SUBSCRIPTIONS_WRITE,
        "cancel": Scope.SUBSCRIPTIONS_WRITE,
        "list_of": Scope.MEMBERS_READ,
    }
    member_actions = frozenset({"subscribe", "cancel", "list_of"})

    @operation(
        "Subscription",
        body=SubscribeBody,
        answer=SubscriptionAnswer,
        status=201,
        replays=True,
        errors=(
            PlanNotFound,
            SubscriptionNotFound,
            AlreadySubscribed,
            SubscriptionOver,
            NotEligible,
        ),
    )
    def subscribe(self, request: Request, number: str) -> HttpResponse:
        body, now = self.body(SubscribeBody), self.now()
        check_instant(body.start, "/start")
        wanted = self._request(body)

        def work(book: LockedBook | None, _: UUID) -> SubscriptionAnswer:
            assert book is not None
            done = subscription.subscribe(book, wanted, at=now)
            answer = subscription_answer(done.subscription, book.member.number, now)
            if done.credit is not None:
                answer.credit = _money(done.credit, done.subscription.currency)
            return answer

        return self._post("SUBSCRIPTION", number, body.reference, body, work, now)

    @operation(
        "Subscription Cancellation",
        body=CancelBody,
        answer=CancellationsAnswer,
        status=201,
        replays=True,
    )
    def cancel(self, request: Request, number: str) -> HttpResponse:
        body, now = self.body(CancelBody), self.now()
        if len(set(body.subscriptions)) != len(body.subscriptions):
            message = "Name each subscription once."
            raise ValidationFailed([FieldError("/subscriptions", "REPEATED", message)])
        wanted = subscription.CancelRequest(
            subscriptions=body.subscriptions,
            when=body.when,
            by=self.caller.actor,
            reason=body.reason or "",
        )

        def work(book: LockedBook | None, _: UUID) -> CancellationsAnswer:
            assert book is not None
            done = subscription.cancel(book, wanted, at=now)
            return CancellationsAnswer(items=[_cancellation(each, now) for each in done])

        return self._post("CANCELLATION", number, body.reference, body, work, now)

    @operation("Get Member Subscription", answer=SubscriptionsAnswer, query=SubscriptionsQuery)
    def list_of(self, request: Request, number: str) -> HttpResponse:
        query, now = self.query(SubscriptionsQuery), self.now()
        member = resolve(self.member_named(number))
        sees_all = sees_person(self.caller, member)
        only_partner = None if sees_all else self.caller.partner_id
        rows = subscriptions_of(member.pk, with_ended=query.ended, only_partner=only_partner)
        if not query.ended:
            rows = [each for each in rows if standing(each, now) != Subscription.Status.ENDED]
        results = [subscription_answer(each, member.number, now) for each in rows]
        return self.answer(SubscriptionsAnswer(results=results))

    def _post(
        self, kind: str, number: str, reference: str, body: Any, work: Any, now: datetime
    ) -> HttpResponse:
        order = Order(
            kind=kind,
            member=self.member_named(number),
            partner_id=self.caller.partner_id,
            reference=reference,
            digest=digest_of(f"{kind}/{number}", body),
        )
        return self.stored(postings.post(order, work, at=now))

    def _request(self, body: SubscribeBody) -> subscription.SubscribeRequest:
        """Return the body as the service takes it; a member cannot say what was paid."""
        payment = body.payment or PaymentBody(status="DUE")
        if self.caller.kind is CallerKind.MEMBER and (
            payment.status == "PAID" or body.price is not None
        ):
            message = "What was paid is for the shop to say: send DUE, and no price."
            raise ValidationFailed([FieldError("/payment/status", "NOT_FOR_MEMBERS", message)])
        return subscription.SubscribeRequest(
            plan=body.plan,
            partner_id=self.caller.partner_id,
            by=self.caller.actor,
            start=body.start,
            price=Decimal(body.price.amount) if body.price else None,
            currency=body.price.currency if body.price else None,
            payment=payment.status,
            payment_reference=payment.reference or "",
            payment_method=payment.method or "",
            auto_renew=body.auto_renew,
            renews=body.renews,
            change=body.change,
        )


def _money(amount: Decimal, currency: str) -> Money:
    return Money(amount=f"{amount:.2f}", currency=currency)


def subscription_answer(row: Subscription, member: str, at: datetime) -> SubscriptionAnswer:
    """Return a subscription as it is answered, with its status at `at`."""
    status = standing(row, at)
    renews = row.auto_renew and row.cancelled_at is None and row.ended_at is None
    paid = "DUE" if status == Subscription.Status.DUE else "PAID" if row.price else "FREE"
    return SubscriptionAnswer(
        id=row.pk,
        member=member,
        plan=row.plan.code,
        name=row.plan.name,
        status=status,
        started_at=row.started_at,
        period=PeriodAnswer(
            start=row.period_from,
            end=row.period_to,
            last_valid_date=last_valid_date(row.period_to, configuration().zone),
        ),
        renewal_due=row.period_to if renews else None,
        ends_at=end_of(row) if row.ended_at or not renews or row.unpaid_since else None,
        auto_renew=row.auto_renew,
        price=_money(Decimal(row.price), row.currency),
        payment=PaymentAnswer(
            status=paid,
            reference=row.payment_reference or None,
            method=row.payment_method or None,
        ),
        tier=row.plan.tier.code if row.plan.tier else None,
        benefits=sorted(each.code for each in row.plan.benefits.all()),
    )


def _cancellation(done: subscription.Cancelled, at: datetime) -> CancellationAnswer:
    if done.refusal is not None:
        refusal = done.refusal
        problem = {"code": refusal.code, "title": refusal.title, "detail": refusal.detail}
        return CancellationAnswer(
            id=done.id, status="REFUSED", problem={**problem, **refusal.extra}
        )
    row = done.subscription
    assert row is not None
    return CancellationAnswer(
        id=done.id,
        status=standing(row, at),
        ends_at=end_of(row),
        refund=_money(done.refund or Decimal(0), row.currency),
        benefits_lost=done.benefits_lost,
    )


class PlanAnswer(Answer, kw_only=True):
    """A plan that is offered."""

    code: str
    name: str
    price: Money
    period: str
    trial: str | None
    grace: str
    minimum_term: str | None
    refund: str
    group: str | None
    tier: str | None
    benefits: list[str]
    for_tiers: list[str]
    for_countries: list[str]


class PlansAnswer(Answer, kw_only=True):
    """The plans that are offered."""

    results: list[PlanAnswer]


class NoQuery(Body, kw_only=True):
    """No parameters."""


class PlanViewSet(ProgramViewSet):
    """What can be subscribed to."""

    action_scopes = {"list": Scope.PROGRAM_READ}
    member_actions = frozenset({"list"})

    @operation("Get Subscription Plans", answer=PlansAnswer, query=NoQuery)
    def list(self, request: Request) -> HttpResponse:
        self.query(NoQuery)
        plans = (
            SubscriptionPlan.objects.filter(active=True)
            .select_related("tier")
            .prefetch_related("benefits")
            .order_by("code")
        )
        return self.answer(PlansAnswer(results=[_plan(each) for each in plans]))


def _plan(plan: SubscriptionPlan) -> PlanAnswer:
    return PlanAnswer(
        code=plan.code,
        name=plan.name,
        price=_money(plan.price, plan.currency),
        period=plan.period,
        trial=plan.trial or None,
        grace=plan.grace,
        minimum_term=plan.minimum_term or None,
        refund=plan.refund,
        group=plan.group or None,
        tier=plan.tier.code if plan.tier else None,
        benefits=sorted(each.code for each in plan.benefits.all()),
        for_tiers=plan.for_tiers,
        for_countries=plan.for_countries,
    )
