"""Redemption and Redemption Reversal."""

from typing import Literal
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from ledger.services import redemption, reversal
from ledger.shapes.reversals import ReversalBody, reversal_request
from ledger.shapes.transactions import TransactionAnswer, answer_of
from loyalty.api.fields import (
    Body,
    Code,
    Instant,
    MemberReference,
    Money,
    Points,
    Reason,
    Reference,
    amount_of,
    check_instant,
)
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.caller import Caller
from loyalty.digest import digest_of
from loyalty.errors import FieldError, ValidationFailed
from loyalty.scopes import Scope


class RedemptionBody(Body, kw_only=True):
    """Points to spend, by number or by the money they are worth."""

    member: MemberReference
    reference: Reference
    occurred_at: Instant
    outlet: Code | None = None
    type: Code
    points: Points | None = None
    value: Money | None = None
    purpose: Literal["PAYMENT", "CATALOGUE", "DONATION"] = "PAYMENT"
    lock: UUID | None = None
    keep: bool = False
    offline: bool = False
    reason: Reason | None = None


class RedemptionViewSet(ProgramViewSet):
    """Spending points, and giving them back."""

    action_scopes = {"redeem": Scope.POINTS_REDEEM, "reverse": Scope.POINTS_REVERSE}

    @operation(
        "Redemption", body=RedemptionBody, answer=TransactionAnswer, status=201, replays=True
    )
    def redeem(self, request: Request) -> HttpResponse:
        body = self.body(RedemptionBody)
        done = redemption.redeem_points(
            redemption_request(body, self.caller, self.request_id), at=self.now()
        )
        return self.posted(
            answer_of(done.book, done.transaction, done.earlier, self.caller),
            replayed=done.earlier is not None,
        )

    @operation(
        "Redemption Reversal", body=ReversalBody, answer=TransactionAnswer, status=201, replays=True
    )
    def reverse(self, request: Request) -> HttpResponse:
        body = self.body(ReversalBody)
        wanted = reversal_request("reverse-redemption", body, self.caller, self.request_id)
        done = reversal.reverse_redemption(wanted, at=self.now())
        return self.posted(
            answer_of(done.book, done.transaction, done.earlier, self.caller),
            replayed=done.earlier is not None,
        )


def redemption_request(
    body: RedemptionBody, caller: Caller, request_id: str
) -> redemption.RedemptionRequest:
    """Return the body as the use case takes it.

    :raises ValidationFailed: if not exactly one of points and value is given.
    """
    check_instant(body.occurred_at, "/occurred_at")
    if (body.points is None) == (body.value is None):
        message = "Give exactly one of points and value."
        raise ValidationFailed([FieldError("/points", "EXACTLY_ONE", message)])
    return redemption.RedemptionRequest(
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
    )
