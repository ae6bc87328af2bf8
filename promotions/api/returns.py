"""Earn Reversal, Partial Earn Reversal and Redemption Reversal."""

from decimal import Decimal
from typing import Annotated

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from ledger.queries.configuration import configuration
from ledger.services.reversal import ReversalRequest
from ledger.shapes.reversals import ReversalBody, original_of_body, reversal_request
from ledger.shapes.transactions import TransactionAnswer, answer_of, award_answer
from loyalty.api.fields import (
    Amount,
    Body,
    Code,
    Instant,
    OriginalReference,
    Quantity,
    Reason,
    Reference,
    check_instant,
)
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.caller import Caller
from loyalty.digest import digest_of
from loyalty.errors import FieldError, ValidationFailed
from loyalty.scopes import Scope
from promotions.engine.types import PIECE
from promotions.errors import TicketsListed
from promotions.services import redemption_reversals, returns
from vouchers.errors import VoucherUsed, WholeOnly


class ReturnLineBody(Body, kw_only=True):
    """A line that comes back. `amount` is what the customer gets, after all discounts.

    Missing, it is the line's net in proportion to quantity. A quantity of 0 with an amount adjusts
    the price.
    """

    line: Annotated[int, Meta(ge=1, le=1_000_000)]
    quantity: Quantity
    amount: Amount | None = None


class ReturnBody(Body, kw_only=True):
    """Items of an earlier purchase that come back."""

    original: OriginalReference
    reference: Reference
    occurred_at: Instant
    lines: Annotated[list[ReturnLineBody], Meta(min_length=1, max_length=1000)]
    outlet: Code | None = None
    reason: Reason | None = None


class ReturnViewSet(ProgramViewSet):
    """Taking back what a sale earned, or what points were spent on."""

    action_scopes = {
        "reverse": Scope.POINTS_REVERSE,
        "return_items": Scope.POINTS_REVERSE,
        "reverse_redemption": Scope.POINTS_REVERSE,
    }

    @operation(
        "Earn Reversal", body=ReversalBody, answer=TransactionAnswer, status=201, replays=True
    )
    def reverse(self, request: Request) -> HttpResponse:
        body = self.body(ReversalBody)
        if body.points is not None:
            message = "An earn is reversed whole; return items takes back a part."
            raise ValidationFailed([FieldError("/points", "NOT_HERE", message)])
        wanted = reversal_request("reverse-earn", body, self.caller, self.request_id)
        done = returns.reverse_earn(wanted, at=self.now())
        answer = answer_of(done.book, done.transaction, done.earlier, self.caller)
        return self.posted(answer, replayed=done.earlier is not None)

    @operation(
        "Partial Earn Reversal",
        body=ReturnBody,
        answer=TransactionAnswer,
        status=201,
        replays=True,
    )
    def return_items(self, request: Request) -> HttpResponse:
        wanted = return_request(self.body(ReturnBody), self.caller, self.request_id)
        done = returns.return_items(wanted, at=self.now())
        answer = return_answer(done, self.caller)
        return self.posted(answer, replayed=done.earlier is not None)

    @operation(
        "Redemption Reversal",
        body=ReversalBody,
        answer=TransactionAnswer,
        status=201,
        replays=True,
        errors=(VoucherUsed, WholeOnly, TicketsListed),
    )
    def reverse_redemption(self, request: Request) -> HttpResponse:
        body = self.body(ReversalBody)
        wanted = reversal_request("reverse-redemption", body, self.caller, self.request_id)
        done = redemption_reversals.reverse_redemption(wanted, at=self.now())
        return self.posted(
            answer_of(done.book, done.transaction, done.earlier, self.caller),
            replayed=done.earlier is not None,
        )


def return_request(body: ReturnBody, caller: Caller, request_id: str) -> returns.ReturnRequest:
    """Return the body as the use case takes it.

    :raises ValidationFailed: if a line comes twice, or one has neither quantity nor amount.
    """
    check_instant(body.occurred_at, "/occurred_at")
    seen: set[int] = set()
    lines = []
    for place, line in enumerate(body.lines):
        if line.line in seen:
            message = "Two lines have this number."
            raise ValidationFailed([FieldError(f"/lines/{place}/line", "REPEATED", message)])
        seen.add(line.line)
        quantity = int(Decimal(line.quantity) * PIECE)
        if not quantity and line.amount is None:
            message = "A quantity of 0 adjusts the price: give the amount."
            raise ValidationFailed([FieldError(f"/lines/{place}/amount", "MISSING_FIELD", message)])
        lines.append(returns.ReturnLine(line.line, quantity, line.amount))
    reversal = ReversalRequest(
        original=original_of_body(body.original, caller),
        partner_id=caller.partner_id,
        reference=body.reference,
        digest=digest_of("return-items", body),
        occurred_at=body.occurred_at,
        outlet=body.outlet,
        reason=body.reason,
        request_id=request_id,
    )
    return returns.ReturnRequest(reversal, tuple(lines))


def return_answer(done: returns.ReturnedItems, caller: Caller) -> TransactionAnswer:
    """Return the answer of a return, or of the earlier one that it repeats."""
    answer = answer_of(done.book, done.transaction, done.earlier, caller)
    settings = configuration(done.book.epoch)
    answer.awards = [award_answer(award, settings) for award in done.result["awards"]]
    answer.kept = done.result["kept"]
    return answer
