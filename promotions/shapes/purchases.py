"""The shape of a purchase, as Earn and Basket Point Evaluation take it."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from loyalty.api.fields import (
    PLAIN,
    Amount,
    Body,
    Code,
    Currency,
    Instant,
    MemberReference,
    Name,
    Quantity,
    Reference,
    Short,
    check_instant,
)
from loyalty.caller import Caller
from loyalty.digest import digest_of
from loyalty.errors import FieldError, ValidationFailed
from promotions.engine.basket import Basket, BasketLine
from promotions.services import quotes
from promotions.services.earning import EarnRequest

QuoteText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=4000,
        pattern=PLAIN,
        description="What an evaluation answered as its `quote`.",
    ),
]
Attributes = Annotated[dict[Name, Short], Meta(max_length=20)]


class LineBody(Body, kw_only=True):
    """A line: `amount` is for its whole quantity, tax included, before `discount`.

    `tax` is what of its price after discounts is tax.
    """

    line: Annotated[int, Meta(ge=1, le=1_000_000)]
    sku: (
        Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")] | None
    ) = None
    quantity: Quantity = "1"
    amount: Amount
    discount: Amount = "0"
    tax: Amount = "0"
    category: Code | None = None
    brand: Short | None = None
    earns: bool = True
    attributes: Attributes = {}


class TenderBody(Body, kw_only=True):
    """A means of payment and what was paid by it."""

    type: Literal["CASH", "CARD", "GIFT_CARD", "ACCOUNT", "VOUCHER", "POINTS", "OTHER"]
    amount: Amount


class PurchaseBody(Body, kw_only=True):
    """A purchase. `lines` may be missing: then `amount` is one uncategorised line."""

    member: MemberReference | None = None
    reference: Reference | None = None
    occurred_at: Instant
    outlet: Code | None = None
    channel: Name | None = None
    terminal: Name | None = None
    cashier: Name | None = None
    currency: Currency
    lines: Annotated[list[LineBody], Meta(max_length=1000)] = []
    amount: Amount | None = None
    discount: Amount = "0"
    tenders: Annotated[list[TenderBody], Meta(max_length=20)] = []
    coupons: Annotated[list[Code], Meta(max_length=50)] = []
    attributes: Attributes = {}
    offline: bool = False
    quote: QuoteText | None = None


def basket_of(body: PurchaseBody, *, may_be_empty: bool = False) -> Basket:
    """Return the purchase as the engine takes it; one of nothing, where it may be empty.

    :raises ValidationFailed: if lines and amount are both given or both missing, or if two lines
        have one number.
    """
    check_instant(body.occurred_at, "/occurred_at")
    empty = may_be_empty and not body.lines and body.amount is None
    if not empty and bool(body.lines) == (body.amount is not None):
        message = "Give exactly one of lines and amount."
        raise ValidationFailed([FieldError("/lines", "EXACTLY_ONE", message)])
    seen: set[int] = set()
    for place, line in enumerate(body.lines):
        if line.line in seen:
            message = "Two lines have this number."
            raise ValidationFailed([FieldError(f"/lines/{place}/line", "REPEATED", message)])
        seen.add(line.line)
    lines = tuple(map(_line, body.lines))
    if body.amount is not None:
        lines = (BasketLine(1, None, "1", body.amount),)
    return Basket(
        occurred_at=body.occurred_at,
        currency=body.currency,
        lines=lines,
        discount=body.discount,
        tenders=tuple((tender.type, tender.amount) for tender in body.tenders),
        coupons=tuple(dict.fromkeys(body.coupons)),
        outlet=body.outlet,
        channel=body.channel,
        attributes=dict(body.attributes),
    )


def _line(line: LineBody) -> BasketLine:
    attributes: dict[str, Any] = dict(line.attributes)
    return BasketLine(
        line.line,
        line.sku,
        line.quantity,
        line.amount,
        discount=line.discount,
        tax=line.tax,
        category=line.category,
        brand=line.brand,
        attributes=attributes,
        earns=line.earns,
    )


def earn_request(body: PurchaseBody, caller: Caller, request_id: str) -> EarnRequest:
    """Return the body as the use case takes it.

    :raises ValidationFailed: if member or reference is missing; a guest's earn posts nothing.
    """
    for name in ("member", "reference"):
        if getattr(body, name) is None:
            message = f"An earn needs a {name}."
            raise ValidationFailed([FieldError(f"/{name}", "MISSING_FIELD", message)])
    assert body.member is not None
    assert body.reference is not None
    return EarnRequest(
        member=body.member.named(),
        partner_id=caller.partner_id,
        partner_code=caller.partner_code,
        reference=body.reference,
        digest=digest_of("earn", body),
        basket=basket_of(body),
        offline=body.offline,
        request_id=request_id,
        promise=quotes.read(body.quote),
    )
