"""All Transaction and its void: a whole visit to the till in one unit."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from ledger.errors import AlreadyReversed, InsufficientPoints, TransactionNotFound
from ledger.queries.configuration import configuration
from ledger.queries.history import posted_of_draft
from ledger.shapes.reversals import ReversalBody, reversal_request
from ledger.shapes.transactions import (
    BalanceAnswer,
    TierAnswer,
    TransactionAnswer,
    answer_of,
    award_answer,
    transaction_answer,
)
from loyalty.api.fields import (
    Answer,
    Money,
)
from loyalty.api.openapi import operation
from loyalty.caller import Caller
from loyalty.errors import FieldError, ScopeMissing, ValidationFailed
from loyalty.scopes import Scope
from members.sign_in_errors import StepUpInvalid, StepUpRequired
from promotions.api.composite_bodies import CompositeBody, composite_request, shown_vouchers
from promotions.api.earning import (
    EvaluationAnswer,
    IncludeQuery,
    add_explanations,
    as_member_answer,
    earned_answer,
    explain_stored,
    quoted,
    totals,
)
from promotions.api.history import HistoryViewSet
from promotions.engine.evaluate import evaluate
from promotions.errors import CurrencyDiffers, MoreThanDue, PartReversed, TendersMismatch
from promotions.models import Evaluation
from promotions.services import guests, quotes
from promotions.services.calls import composite, voids
from promotions.services.calls.composite import Composite, Looked
from promotions.services.calls.composite_unit import CompositeRequest
from promotions.services.earning import Earned
from promotions.services.snapshot import snapshot_of
from promotions.shapes.purchases import basket_of
from promotions.shapes.rewards import promised
from vouchers.errors import NotEligible, QuotaEmpty, VoucherNotFound, VoucherUsed


class SignedMoney(Answer, kw_only=True):
    """An amount with its currency; below zero the customer gets it."""

    amount: str
    currency: str


class PartAnswer(Answer, kw_only=True):
    """A posting of the call; an evaluation has no ids."""

    id: UUID | None
    kind: str
    original: UUID | None
    points: list[dict[str, Any]]


class BurnedAnswer(Answer, kw_only=True):
    """Points that were burned, and what they paid."""

    type: str
    points: int
    value: Money
    lock: UUID | None


class UsedVoucherAnswer(Answer, kw_only=True):
    """A voucher as its use left it. `used` is what it paid; null where it gives no money."""

    code: str
    voucher_type: str
    status: str
    used: Money | None
    left: Money | None
    gives: str
    percent: str | None
    product: str | None
    text: str | None


class HadBenefitAnswer(Answer, kw_only=True):
    """A benefit that was had; `left` is null where there is no quota."""

    code: str
    quantity: int
    use: UUID | None
    left: int | None


class CompositeAnswer(TransactionAnswer, kw_only=True):
    """The earn of a call, with all that was posted beside it."""

    due: SignedMoney
    to_pay: SignedMoney
    parts: list[PartAnswer]
    burned: list[BurnedAnswer]
    vouchers: list[UsedVoucherAnswer]
    benefits: list[HadBenefitAnswer]


class NeededStepUp(Answer, kw_only=True):
    """What a commit asks the member to agree to."""

    purpose: str
    points: int
    type: str


class CompositeEvaluation(EvaluationAnswer, kw_only=True):
    """What a commit would post; nothing is written. `step_up` says whether it would ask for one."""

    due: SignedMoney
    to_pay: SignedMoney
    parts: list[PartAnswer]
    burned: list[BurnedAnswer]
    vouchers: list[UsedVoucherAnswer]
    benefits: list[HadBenefitAnswer]
    tier: TierAnswer | None
    balances: list[BalanceAnswer]
    step_up: NeededStepUp | None


class VoidAnswer(TransactionAnswer, kw_only=True):
    """The reversal of a call's earn, with all else that was taken back."""

    parts: list[PartAnswer]
    vouchers: list[dict[str, Any]]
    benefits: list[dict[str, Any]]


_ASKED = (
    ("burn", Scope.POINTS_REDEEM),
    ("vouchers", Scope.VOUCHERS_USE),
    ("benefits", Scope.BENEFITS_USE),
    ("returns", Scope.POINTS_REVERSE),
)


class CompositeViewSet(HistoryViewSet):
    """A whole visit to the till."""

    action_scopes = {
        **HistoryViewSet.action_scopes,
        "transact": Scope.POINTS_EARN,
        "void": Scope.POINTS_REVERSE,
    }
    other_scopes = {"transact": frozenset({Scope.POINTS_READ})}  # To evaluate.

    @operation(
        "All Transaction",
        body=CompositeBody,
        answer=CompositeAnswer,
        looks=CompositeEvaluation,
        query=IncludeQuery,
        status=201,
        replays=True,
        errors=(
            MoreThanDue,
            CurrencyDiffers,
            TendersMismatch,
            InsufficientPoints,
            StepUpRequired,
            StepUpInvalid,
            TransactionNotFound,
            VoucherNotFound,
            VoucherUsed,
            NotEligible,
            QuotaEmpty,
        ),
    )
    def transact(self, request: Request) -> HttpResponse:
        include, body, now = self.query(IncludeQuery), self.body(CompositeBody), self.now()
        explain = include.include is not None
        self._check_scopes(body)
        if body.mode == "evaluate" and body.member is None:
            return self.answer(self._guest(body, now, explain=explain))
        wanted = composite_request(body, self.caller, self.request_id, at=now)
        if body.mode == "evaluate":
            looked = composite.evaluate_composite(wanted, at=now)
            return self.answer(_looked_answer(looked, wanted, body, self.caller, now, explain))
        done = composite.post_composite(wanted, at=now)
        answer = _posted_answer(done, wanted, body, self.caller)
        if explain:
            stored = Evaluation.objects.get(pk=answer.id)
            explain_stored(answer, stored, configuration(done.book.epoch))
        return self.posted(answer, replayed=done.earlier is not None)

    @operation(
        "Void Transaction",
        body=ReversalBody,
        answer=VoidAnswer,
        status=201,
        replays=True,
        errors=(TransactionNotFound, AlreadyReversed, PartReversed),
    )
    def void(self, request: Request) -> HttpResponse:
        body = self.body(ReversalBody)
        if body.points is not None:
            message = "A void takes everything back."
            raise ValidationFailed([FieldError("/points", "NOT_HERE", message)])
        wanted = reversal_request("void", body, self.caller, self.request_id)
        done = voids.void_composite(wanted, by=self.caller.actor, at=self.now())
        base = answer_of(done.book, done.transaction, done.earlier, self.caller)
        base.tier = msgspec.convert(done.told["tier"], TierAnswer)
        answer = VoidAnswer(
            **_fields_of(base),
            parts=msgspec.convert(done.told["parts"], list[PartAnswer]),
            vouchers=done.told["vouchers"],
            benefits=done.told["benefits"],
        )
        return self.posted(answer, replayed=done.earlier is not None)

    def _check_scopes(self, body: CompositeBody) -> None:
        """:raises ScopeMissing: if the token lacks a scope that the mode or the content needs."""
        wanted = [Scope.POINTS_READ]
        if body.mode == "commit":
            held = [scope for name, scope in _ASKED if getattr(body, name)]
            wanted = [Scope.POINTS_EARN, *held]
        for scope in wanted:
            if scope not in self.caller.scopes:
                raise ScopeMissing(scope)

    def _guest(self, body: CompositeBody, now: datetime, *, explain: bool) -> CompositeEvaluation:
        for name in ("burn", "benefits"):
            if getattr(body, name):
                message = f"A guest has nothing to {name}: name the member."
                raise ValidationFailed([FieldError("/member", "MISSING_FIELD", message)])
        if body.returns:
            raise TransactionNotFound
        found = guests.evaluate_guest(
            basket_of(body),
            shown_vouchers(body, self.caller, now),
            partner_id=self.caller.partner_id,
            partner_code=self.caller.partner_code,
            promise=quotes.read(body.quote),
            explain=explain,
            at=now,
        )
        quote = found.quote
        result = msgspec.to_builtins(quote.result)
        awards = [award_answer(award, quote.settings) for award in quote.result["awards"]]
        add_explanations(awards, quote.result["awards"], quote.evaluation)
        return CompositeEvaluation(
            evaluated_at=now,
            quote=None,
            points=totals(result["awards"]),
            awards=awards,
            near_misses=result["near_misses"],
            rewards=promised(result, quote.settings),
            coupons=result["coupons"],
            as_member=as_member_answer(quote.as_member),
            **_told(found.told, body, looks=True),
            tier=None,
            balances=[],
            step_up=None,
        )


def _fields_of(answer: msgspec.Struct) -> dict[str, Any]:
    return {name: getattr(answer, name) for name in answer.__struct_fields__}


def _told(told: dict[str, Any], body: CompositeBody, *, looks: bool = False) -> dict[str, Any]:
    """Return what is told of a call beside its earn; an evaluation made nothing that has an id."""
    shown = zip(body.vouchers, told["vouchers"], strict=True)
    parts = msgspec.convert(told["parts"], list[PartAnswer])
    benefits = msgspec.convert(told["benefits"], list[HadBenefitAnswer])
    if looks:
        for part in parts:
            part.id = None
        for benefit in benefits:
            benefit.use = None
    return {
        "due": SignedMoney(amount=told["due"], currency=told["currency"]),
        "to_pay": SignedMoney(amount=told["to_pay"], currency=told["currency"]),
        "parts": parts,
        "burned": msgspec.convert(told["burned"], list[BurnedAnswer]),
        "vouchers": [
            msgspec.convert({"code": each.code, **kept}, UsedVoucherAnswer) for each, kept in shown
        ],
        "benefits": benefits,
    }


def _posted_answer(
    done: Composite, wanted: CompositeRequest, body: CompositeBody, caller: Caller
) -> CompositeAnswer:
    """Return the answer of a call, or of the earlier one that it repeats."""
    earned = Earned(done.book, done.transaction, done.result, earlier=done.earlier)
    base = earned_answer(earned, caller, wanted.earn.promise)
    return CompositeAnswer(**_fields_of(base), **_told(done.told, body))


def _looked_answer(
    looked: Looked,
    wanted: CompositeRequest,
    body: CompositeBody,
    caller: Caller,
    now: datetime,
    explain: bool,
) -> CompositeEvaluation:
    """Return what a commit would answer."""
    drafted, settings, member = looked.drafted, looked.settings, looked.book.member
    stored = drafted.record.result
    result = msgspec.to_builtins(stored)
    awards = [award_answer(award, settings) for award in stored["awards"]]
    if explain:
        inputs = drafted.record.evaluation["inputs"]
        ceilings = inputs.get("ceilings")
        found = evaluate(
            inputs["purchase"],
            inputs["member"],
            snapshot_of(settings),
            ceilings=ceilings,
            explain=True,
        )
        add_explanations(awards, stored["awards"], found)
    earn = transaction_answer(
        posted_of_draft(drafted.earn, member.id),
        member=member.number,
        caller=caller,
        settings=settings,
    )
    step_up = None
    if looked.step_up is not None:
        needed = looked.step_up
        step_up = NeededStepUp(purpose="REDEEM", points=needed.points, type=needed.point_type)
    answer = CompositeEvaluation(
        evaluated_at=now,
        quote=quoted(result["awards"], caller, member.id),
        points=totals(result["awards"]),
        awards=awards,
        near_misses=result["near_misses"],
        rewards=promised(result, settings),
        coupons=result["coupons"],
        as_member=None,
        **_told(drafted.told, body, looks=True),
        tier=earn.tier,
        balances=earn.balances,
        step_up=step_up,
    )
    if wanted.earn.promise is not None:
        answer.changed = quotes.changes(wanted.earn.promise, result["awards"])
    return answer
