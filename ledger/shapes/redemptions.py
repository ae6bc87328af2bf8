"""The body of a redemption."""

from decimal import Decimal
from typing import Literal
from uuid import UUID

from ledger.services.exchange import PURPOSE, ExchangeRequest
from ledger.services.redemption import RedemptionRequest
from loyalty.api.fields import (
    Body,
    Code,
    Instant,
    MemberReference,
    Money,
    Name,
    Points,
    Reason,
    Reference,
    StepUpToken,
    amount_of,
    check_instant,
)
from loyalty.caller import Caller
from loyalty.digest import digest_of
from loyalty.errors import FieldError, ValidationFailed
from loyalty.money import places
from loyalty.secret import Secret


class ExchangeBody(Body, kw_only=True):
    """Whose units the points buy, and the member's account there."""

    partner: Code
    account: Name


class RedemptionBody(Body, kw_only=True):
    """Points to spend, by number or by the money they are worth."""

    member: MemberReference
    reference: Reference
    occurred_at: Instant
    outlet: Code | None = None
    type: Code
    points: Points | None = None
    value: Money | None = None
    purpose: Literal["PAYMENT", "CATALOGUE", "DONATION", "EXCHANGE"] = "PAYMENT"
    exchange: ExchangeBody | None = None
    lock: UUID | None = None
    keep: bool = False
    offline: bool = False
    reason: Reason | None = None
    step_up: StepUpToken | None = None


def redemption_request(body: RedemptionBody, caller: Caller, request_id: str) -> RedemptionRequest:
    """Return the body as the use case takes it.

    :raises ValidationFailed: if not exactly one of points and value is given.
    """
    check_instant(body.occurred_at, "/occurred_at")
    if (body.points is None) == (body.value is None):
        message = "Give exactly one of points and value."
        raise ValidationFailed([FieldError("/points", "EXACTLY_ONE", message)])
    _check_exchange(body)
    _check_places(body.value)
    return RedemptionRequest(
        member=body.member.named(),
        partner_id=caller.partner_id,
        reference=body.reference,
        digest=digest_of("redeem", body),
        occurred_at=body.occurred_at,
        point_type=body.type,
        points=body.points,
        value=amount_of(body.value.amount) if body.value else None,
        currency=body.value.currency if body.value else None,
        purpose=body.purpose,
        outlet=body.outlet,
        lock=body.lock,
        keep=body.keep,
        offline=body.offline,
        request_id=request_id,
        reason=body.reason,
        step_up=Secret(body.step_up) if body.step_up else None,
        exchange=(
            ExchangeRequest(body.exchange.partner, body.exchange.account) if body.exchange else None
        ),
    )


def _check_places(value: Money | None) -> None:
    """:raises ValidationFailed: if an amount has more places than its currency."""
    if value is None:
        return
    exact = Decimal(value.amount)
    if exact != exact.quantize(Decimal(1).scaleb(-places(value.currency))):
        message = f"{value.amount} has more places than {value.currency}."
        raise ValidationFailed([FieldError("/value/amount", "OUT_OF_RANGE", message)])


def _check_exchange(body: RedemptionBody) -> None:
    """:raises ValidationFailed: if an exchange lacks its account, or is what none can be."""
    if (body.purpose == PURPOSE) != (body.exchange is not None):
        message = "Give exchange with the purpose EXCHANGE, and only then."
        raise ValidationFailed([FieldError("/exchange", "EXACTLY_ONE", message)])
    if body.exchange is not None and (body.points is None or body.offline):
        pointer = "/offline" if body.points is not None else "/points"
        message = "An exchange is of points, and never offline."
        raise ValidationFailed([FieldError(pointer, "NOT_HERE", message)])
