"""Get All Benefits, Status Benefit Check, and the benefits there are."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from ledger.queries.configuration import configuration
from loyalty.api.fields import Answer, Body, Code, Reference
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.digest import digest_of
from loyalty.errors import FieldError, LoyaltyError, ValidationFailed
from loyalty.scopes import Scope
from members.queries import resolve
from vouchers.errors import BenefitNotFound, NotEligible, QuotaEmpty, UseNotFound, VoucherUsed
from vouchers.models import Benefit
from vouchers.queries.benefits import Entitlement, Holder, entitlements
from vouchers.services import benefits, postings
from vouchers.services.benefits import BenefitRequest
from vouchers.services.postings import Order
from vouchers.shapes.benefits import BenefitAnswer, benefit_answer
from vouchers.shapes.vouchers import VoucherAnswer, voucher_answer


class BenefitBody(Body, kw_only=True):
    """What to do with a benefit. `check` writes nothing and needs no reference."""

    action: Literal["check", "avail", "issue", "undo"]
    quantity: Annotated[int, Meta(ge=1, le=1000)] = 1
    outlet: Code | None = None
    reference: Reference | None = None
    original: UUID | None = None


class BenefitsAnswer(Answer, kw_only=True):
    """What a member is entitled to."""

    member: str
    results: list[BenefitAnswer]


class BenefitActAnswer(Answer, kw_only=True):
    """How the member stands to the benefit, and what was done."""

    eligible: bool
    benefit: BenefitAnswer
    use: UUID | None
    vouchers: list[VoucherAnswer]
    reasons: list[dict[str, Any]]


class BenefitViewSet(ProgramViewSet):
    """What a member may have without paying points."""

    action_scopes = {"list_of": Scope.MEMBERS_READ, "act": Scope.BENEFITS_USE}
    member_actions = frozenset({"list_of"})

    @operation("Get All Benefits", answer=BenefitsAnswer)
    def list_of(self, request: Request, number: str) -> HttpResponse:
        member, now = resolve(self.member_named(number)), self.now()
        holder = Holder(member.pk, member.tier.code, member.tier_since)
        found = entitlements(holder, at=now, zone=configuration().zone)
        results = [benefit_answer(each) for each in found]
        return self.answer(BenefitsAnswer(member=member.number, results=results))

    @operation(
        "Status Benefit Check",
        body=BenefitBody,
        answer=BenefitActAnswer,
        status=201,
        replays=True,
        errors=(BenefitNotFound, NotEligible, QuotaEmpty, UseNotFound, VoucherUsed),
    )
    def act(self, request: Request, number: str, code: str) -> HttpResponse:
        body, now = self.body(BenefitBody), self.now()
        _check_action(body)
        wanted = BenefitRequest(
            benefit=code,
            partner_id=self.caller.partner_id,
            by=self.caller.actor,
            quantity=body.quantity,
            outlet=body.outlet,
            reference=body.reference or "",
        )
        if body.action == "check":
            return self.answer(self._check(number, wanted, now))
        order = Order(
            kind=f"BENEFIT_{body.action.upper()}",
            member=self.member_named(number),
            partner_id=self.caller.partner_id,
            reference=body.reference or "",
            digest=digest_of(f"benefit/{number}/{code}", body),
        )

        def work(book: Any, use_id: UUID) -> BenefitActAnswer:
            if body.action == "undo":
                assert body.original is not None
                use, after = benefits.undo(book, wanted, body.original, at=now)
                return _acted(after, use.pk, [])
            act = benefits.avail if body.action == "avail" else benefits.issue
            done = act(book, wanted, use_id, at=now)
            settings = configuration(book.epoch)
            vouchers = [
                voucher_answer(each.voucher, each.code, now, settings) for each in done.vouchers
            ]
            return _acted(done.entitlement, done.use.pk, vouchers)

        return self.stored(postings.post(order, work, at=now))

    def _check(self, number: str, wanted: BenefitRequest, now: datetime) -> BenefitActAnswer:
        member = resolve(self.member_named(number))
        holder = Holder(member.pk, member.tier.code, member.tier_since)
        entitlement = benefits.entitlement_of(holder, wanted.benefit, now)
        refusal: LoyaltyError | None = None
        try:
            benefits.judge(entitlement, member.stage, wanted)
        except LoyaltyError as error:
            refusal = error
        return _acted(entitlement, None, [], refusal)


def _check_action(body: BenefitBody) -> None:
    """:raises ValidationFailed: if a field is missing for the action."""
    if body.action != "check" and body.reference is None:
        message = f"To {body.action} needs a reference."
        raise ValidationFailed([FieldError("/reference", "MISSING_FIELD", message)])
    if (body.action == "undo") != (body.original is not None):
        message = "Undo names the use by its id; nothing else does."
        code = "MISSING_FIELD" if body.action == "undo" else "NOT_HERE"
        raise ValidationFailed([FieldError("/original", code, message)])


def _acted(
    entitlement: Entitlement,
    use: UUID | None,
    vouchers: list[VoucherAnswer],
    refusal: LoyaltyError | None = None,
) -> BenefitActAnswer:
    reasons = []
    if refusal is not None:
        reasons = [{"code": refusal.code, "detail": refusal.detail, **refusal.extra}]
    return BenefitActAnswer(
        eligible=refusal is None,
        benefit=benefit_answer(entitlement),
        use=use,
        vouchers=vouchers,
        reasons=reasons,
    )


class ProgramBenefitAnswer(Answer, kw_only=True):
    """A benefit of the programme."""

    code: str
    name: str
    tiers: list[str]
    quota: int | None
    reset: str
    period: str
    voucher_type: str | None


class ProgramBenefitsAnswer(Answer, kw_only=True):
    """The benefits of the programme."""

    results: list[ProgramBenefitAnswer]


class BenefitListViewSet(ProgramViewSet):
    """The benefits there are."""

    action_scopes = {"list": Scope.PROGRAM_READ}
    member_actions = frozenset({"list"})

    @operation("Get Benefits", answer=ProgramBenefitsAnswer)
    def list(self, request: Request) -> HttpResponse:
        rows = Benefit.objects.filter(active=True).select_related("voucher_type").order_by("code")
        results = [
            ProgramBenefitAnswer(
                code=row.code,
                name=row.name,
                tiers=row.tiers,
                quota=row.quota,
                reset=row.reset,
                period=row.period,
                voucher_type=row.voucher_type.code if row.voucher_type else None,
            )
            for row in rows
        ]
        return self.answer(ProgramBenefitsAnswer(results=results))
