"""Earn Reversal, Partial Earn Reversal and Redemption Reversal."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, NoReturn

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from ledger.queries.configuration import configuration
from ledger.services.reversal import ReversalRequest
from ledger.shapes.reversals import ReversalBody, original_of_body, reversal_request
from ledger.shapes.transactions import TransactionAnswer, answer_of, award_answer
from loyalty.api.fields import (
    PLAIN,
    Amount,
    Body,
    Code,
    Currency,
    Instant,
    MemberReference,
    OriginalReference,
    Quantity,
    Reason,
    Reference,
    Short,
    check_instant,
)
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.caller import Caller
from loyalty.digest import digest_of
from loyalty.errors import FieldError, ValidationFailed
from loyalty.scopes import Scope
from promotions.engine.basket import Basket, BasketLine
from promotions.engine.types import PIECE
from promotions.errors import OriginalNeeded, ReturnExceedsPurchase, TicketsListed
from promotions.services import returns, reversals
from promotions.services.blind_returns import BlindReturnRequest, return_unknown
from promotions.services.returns import ReturnRequest
from promotions.services.rewarding import redemption_reversals
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


class ReturnedLineBody(ReturnLineBody, kw_only=True):
    """A line that comes back; without an original it says what it is, and its amount."""

    sku: Annotated[str, Meta(min_length=1, max_length=64, pattern=PLAIN)] | None = None
    category: Code | None = None
    brand: Short | None = None


class ItemsBody(Body, kw_only=True):
    """Items that come back of an earlier purchase; where nobody can name it, of a member."""

    original: OriginalReference | None = None
    member: MemberReference | None = None
    reference: Reference
    occurred_at: Instant
    lines: Annotated[list[ReturnedLineBody], Meta(min_length=1, max_length=1000)]
    currency: Currency | None = None
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
        done = reversals.reverse_earn(wanted, at=self.now())
        answer = answer_of(done.book, done.transaction, done.earlier, self.caller)
        return self.posted(answer, replayed=done.earlier is not None)

    @operation(
        "Partial Earn Reversal",
        body=ItemsBody,
        answer=TransactionAnswer,
        status=201,
        replays=True,
        errors=(ReturnExceedsPurchase, OriginalNeeded),
    )
    def return_items(self, request: Request) -> HttpResponse:
        wanted = items_request(self.body(ItemsBody), self.caller, self.request_id)
        done = take_back(wanted, at=self.now())
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


def take_back(wanted: ReturnRequest | BlindReturnRequest, *, at: datetime) -> returns.ReturnedItems:
    """Take items back, of the purchase that is named or of one that nobody can name."""
    if isinstance(wanted, BlindReturnRequest):
        return return_unknown(wanted, at=at)
    return returns.return_items(wanted, at=at)


def items_request(
    body: ItemsBody, caller: Caller, request_id: str
) -> ReturnRequest | BlindReturnRequest:
    """Return the body as its use case takes it: with an original, or without.

    :raises ValidationFailed: if it mixes the two; and see `return_request`.
    """
    if body.original is None:
        return _blind(body, caller, request_id)
    for name in ("member", "currency"):
        if getattr(body, name) is not None:
            _refuse(f"/{name}", "NOT_HERE", "The original says this.")
    for place, line in enumerate(body.lines):
        for name in ("sku", "category", "brand"):
            if getattr(line, name) is not None:
                _refuse(f"/lines/{place}/{name}", "NOT_HERE", "The original says this.")
    lines = [ReturnLineBody(line=x.line, quantity=x.quantity, amount=x.amount) for x in body.lines]
    named = ReturnBody(
        original=body.original,
        reference=body.reference,
        occurred_at=body.occurred_at,
        lines=lines,
        outlet=body.outlet,
        reason=body.reason,
    )
    return return_request(named, caller, request_id)


def _blind(body: ItemsBody, caller: Caller, request_id: str) -> BlindReturnRequest:
    """Return a body without an original: the lines as a purchase of them would have them."""
    check_instant(body.occurred_at, "/occurred_at")
    if body.member is None:
        message = "Name the original, or the member who brings the items back."
        _refuse("/member", "MISSING_FIELD", message)
    seen: set[int] = set()
    for place, line in enumerate(body.lines):
        if line.line in seen:
            _refuse(f"/lines/{place}/line", "REPEATED", "Two lines have this number.")
        seen.add(line.line)
        if line.amount is None:
            message = "Without an original, say what the customer gets back."
            _refuse(f"/lines/{place}/amount", "MISSING_FIELD", message)
        if not Decimal(line.quantity):
            message = "Only the price of a known purchase can be adjusted."
            _refuse(f"/lines/{place}/quantity", "OUT_OF_RANGE", message)
    return BlindReturnRequest(
        member=body.member.named(),
        partner_id=caller.partner_id,
        partner_code=caller.partner_code,
        reference=body.reference,
        digest=digest_of("return-items", body),
        basket=Basket(
            occurred_at=body.occurred_at,
            currency=body.currency or configuration().currency,
            lines=tuple(
                BasketLine(
                    line.line,
                    line.sku,
                    line.quantity,
                    line.amount or "0",
                    category=line.category,
                    brand=line.brand,
                )
                for line in body.lines
            ),
            outlet=body.outlet,
        ),
        reason=body.reason,
        request_id=request_id,
    )


def _refuse(pointer: str, code: str, message: str) -> NoReturn:
    raise ValidationFailed([FieldError(pointer, code, message)])


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
