"""Member Authentication (the PIN) and Threshold Redemption."""

from datetime import datetime
from typing import Literal

from django.http import HttpResponse
from rest_framework.request import Request

from loyalty.api.fields import Answer, Code, Money, Pin, Points, StepUpToken, amount_of
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.caller import CallerKind
from loyalty.errors import FieldError, LockedOut, ValidationFailed
from loyalty.models import Program
from loyalty.scopes import Scope
from loyalty.secret import Secret
from loyalty.services.attempts import PIN
from members.api.sign_in import PasswordText, SecretBody
from members.services import pins, thresholds
from members.services.pins import PinRequest, Proof, VerifyRequest
from members.services.step_ups import Leave
from members.sign_in_errors import (
    AboveMaximum,
    PinNotSet,
    PinRefused,
    PinWrong,
    ProofNeeded,
    StepUpInvalid,
    StepUpRequired,
)
from members.thresholds import Limits


class ProofBody(SecretBody, kw_only=True):
    """Exactly one of the old PIN, the password, and what a confirmed one-time code gave."""

    pin: Pin | None = None
    password: PasswordText | None = None
    code: StepUpToken | None = None


class PinBody(SecretBody, kw_only=True):
    """The new PIN, with proof unless it is the first one."""

    pin: Pin
    proof: ProofBody | None = None


class PinAnswer(Answer, kw_only=True):
    """The PIN is set."""

    member: str
    set_at: datetime


class VerifyBody(SecretBody, kw_only=True):
    """The PIN, or the password in its place, and what it is verified for."""

    pin: Pin | None = None
    password: PasswordText | None = None
    purpose: Literal["REDEEM", "THRESHOLD", "PIN"]
    points: Points | None = None
    type: Code | None = None


class StepUpAnswer(Answer, kw_only=True):
    """Leave to do one thing, once, until `expires_at`; the token is shown once."""

    step_up: str
    expires_at: datetime
    attempts_left: int


class ThresholdBody(SecretBody, kw_only=True):
    """Above what redemptions need a PIN; null is as the programme says, zero always."""

    per_transaction: Money | None = None
    per_day: Money | None = None
    step_up: StepUpToken | None = None


class ThresholdAnswer(Answer, kw_only=True):
    """The limits that hold from now on, and the most a member may set; null is no limit."""

    member: str
    per_transaction: Money | None
    per_day: Money | None
    at_most: Money | None


def leave_of(
    purpose: str, points: int | None, point_type: str | None, *, partner_id: int, client_id: str
) -> Leave:
    """Return what a step-up is wanted for.

    :raises ValidationFailed: if points are missing where they are spent, or given elsewhere.
    """
    if purpose == "REDEEM":
        for name, value in (("points", points), ("type", point_type)):
            if value is None:
                message = "Say how many points of which type are to be redeemed at most."
                raise ValidationFailed([FieldError(f"/{name}", "MISSING_FIELD", message)])
    elif points is not None or point_type is not None:
        message = "Points are for the purpose REDEEM."
        raise ValidationFailed([FieldError("/points", "NOT_HERE", message)])
    return Leave(purpose, partner_id, client_id, points, point_type or "")


class PinViewSet(ProgramViewSet):
    """Setting the PIN, and proving it."""

    action_scopes = {"put": Scope.PINS_WRITE, "verify": Scope.PINS_VERIFY}
    member_actions = frozenset({"put", "verify"})

    @operation(
        "Set PIN",
        body=PinBody,
        answer=PinAnswer,
        errors=[ProofNeeded, PinRefused, PinWrong, StepUpInvalid, LockedOut],
    )
    def put(self, request: Request, number: str) -> HttpResponse:
        body, caller, now = self.body(PinBody), self.caller, self.now()
        wanted = PinRequest(
            member=self.member_named(number),
            pin=Secret(body.pin),
            proof=_proof(body.proof),
            may_set_first=caller.kind is CallerKind.CLIENT,
            partner_id=caller.partner_id,
        )
        member = pins.set_pin(wanted, by=caller.actor, at=now)
        return self.answer(PinAnswer(member=member.number, set_at=now))

    @operation(
        "Member Authentication",
        body=VerifyBody,
        answer=StepUpAnswer,
        errors=[PinWrong, PinNotSet, LockedOut],
    )
    def verify(self, request: Request, number: str) -> HttpResponse:
        body, caller = self.body(VerifyBody), self.caller
        if (body.pin is None) == (body.password is None):
            message = "Give exactly one of pin and password."
            raise ValidationFailed([FieldError("/pin", "EXACTLY_ONE", message)])
        wanted = VerifyRequest(
            member=self.member_named(number),
            pin=_secret(body.pin),
            password=_secret(body.password),
            leave=leave_of(
                body.purpose,
                body.points,
                body.type,
                partner_id=caller.partner_id,
                client_id=caller.client_id,
            ),
        )
        granted = pins.verify(wanted, at=self.now())
        return self.answer(
            StepUpAnswer(
                step_up=granted.token, expires_at=granted.expires_at, attempts_left=PIN.free
            )
        )


class ThresholdViewSet(ProgramViewSet):
    """Above what redemptions need a PIN."""

    action_scopes = {"put": Scope.PINS_WRITE}
    member_actions = frozenset({"put"})

    @operation(
        "Threshold Redemption",
        body=ThresholdBody,
        answer=ThresholdAnswer,
        errors=[StepUpRequired, StepUpInvalid, AboveMaximum],
    )
    def put(self, request: Request, number: str) -> HttpResponse:
        body, caller = self.body(ThresholdBody), self.caller
        member, now = self.member_named(number), self.now()
        wanted = _limits(body)

        def work() -> ThresholdAnswer:
            done = thresholds.set_threshold(
                member,
                wanted,
                step_up=_secret(body.step_up),
                partner_id=caller.partner_id,
                by=caller.actor,
                at=now,
            )
            amounts = (done.limits.per_transaction, done.limits.per_day, done.at_most)
            per_transaction, per_day, at_most = (
                None if each is None else Money(amount=str(each), currency=done.currency)
                for each in amounts
            )
            return ThresholdAnswer(
                member=done.member.number,
                per_transaction=per_transaction,
                per_day=per_day,
                at_most=at_most,
            )

        return self.change(body, work)


def _limits(body: ThresholdBody) -> Limits:
    currency = Program.objects.values_list("currency", flat=True).get(pk=1)
    for name, money in (("per_transaction", body.per_transaction), ("per_day", body.per_day)):
        if money is None:
            continue
        if money.currency != currency:
            message = f"Limits are in the programme's currency, {currency}."
            raise ValidationFailed([FieldError(f"/{name}/currency", "NOT_A_CHOICE", message)])
        if len(money.amount.partition(".")[2].rstrip("0")) > 2:  # noqa: PLR2004 cents
            message = "Give at most 2 places."
            raise ValidationFailed([FieldError(f"/{name}/amount", "NOT_A_DECIMAL", message)])
    return Limits(
        amount_of(body.per_transaction.amount) if body.per_transaction else None,
        amount_of(body.per_day.amount) if body.per_day else None,
    )


def _proof(body: ProofBody | None) -> Proof:
    if body is None:
        return Proof()
    if sum(each is not None for each in (body.pin, body.password, body.code)) != 1:
        message = "Give exactly one of pin, password and code."
        raise ValidationFailed([FieldError("/proof", "EXACTLY_ONE", message)])
    return Proof(_secret(body.pin), _secret(body.password), _secret(body.code))


def _secret(text: str | None) -> Secret | None:
    return None if text is None else Secret(text)
