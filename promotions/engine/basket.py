"""From a till's basket to a purchase: discounts allocated, nets known, tenders compared."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from promotions.engine.money import share_out, to_minor, to_text
from promotions.engine.types import PIECE, Line, Purchase, Tender


class BasketLine(msgspec.Struct, frozen=True):
    """A line as the till sent it: `amount` for its whole quantity, before `discount`."""

    number: int
    sku: str | None
    quantity: str
    amount: str
    discount: str = "0"
    category: str | None = None
    brand: str | None = None
    attributes: Mapping[str, Any] = {}
    earns: bool = True


class Basket(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase as the till sent it; amounts are decimal text in `currency`."""

    occurred_at: datetime
    currency: str
    lines: tuple[BasketLine, ...]
    discount: str = "0"
    tenders: tuple[tuple[str, str], ...] = ()
    coupons: tuple[str, ...] = ()
    outlet: str | None = None
    channel: str | None = None
    attributes: Mapping[str, Any] = {}


class Product(msgspec.Struct, frozen=True):
    """What the master data knows of a product."""

    path: tuple[str, ...] = ()
    brand: str | None = None
    attributes: dict[str, Any] = {}


class BasketInvalid(ValueError):
    """The basket contradicts itself; `pointer` names the field."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer


class TendersDiffer(ValueError):
    """Tenders and lines do not sum to the same; both as decimal text."""

    def __init__(self, tenders: str, lines: str) -> None:
        super().__init__("tenders and lines differ")
        self.tenders, self.lines = tenders, lines


def purchase_of(
    basket: Basket, products: Mapping[str, Product], *, partner: str, zone: ZoneInfo
) -> Purchase:
    """Return the basket as the engine evaluates it.

    Line discounts belong to their line; the basket's discount is shared over what the lines
    leave, by largest remainder, to the minor unit.

    :raises BasketInvalid: if an amount has too many places, or a discount is more than there is.
    :raises TendersDiffer: if there are tenders and they do not sum to the lines less discounts.
    """
    left = [_left_of_line(line, place, basket.currency) for place, line in enumerate(basket.lines)]
    discount = _minor(basket.discount, basket.currency, "/discount")
    if discount > sum(left):
        raise BasketInvalid("/discount", "The discount is more than the lines leave.")
    shares = share_out(discount, left)
    nets = [amount - share for amount, share in zip(left, shares, strict=True)]
    tenders = tuple(
        Tender(kind, _minor(amount, basket.currency, f"/tenders/{place}/amount"))
        for place, (kind, amount) in enumerate(basket.tenders)
    )
    paid = sum(tender.amount for tender in tenders)
    if tenders and paid != sum(nets):
        raise TendersDiffer(to_text(paid, basket.currency), to_text(sum(nets), basket.currency))
    return Purchase(
        occurred_at=basket.occurred_at,
        local=basket.occurred_at.astimezone(zone),
        partner=partner,
        currency=basket.currency,
        lines=tuple(map(_line, basket.lines, nets, _found(basket.lines, products))),
        outlet=basket.outlet,
        channel=basket.channel,
        tenders=tenders,
        coupons=basket.coupons,
        attributes=basket.attributes,
    )


def _left_of_line(line: BasketLine, place: int, currency: str) -> int:
    amount = _minor(line.amount, currency, f"/lines/{place}/amount")
    discount = _minor(line.discount, currency, f"/lines/{place}/discount")
    if discount > amount:
        message = "The discount is more than the line's amount."
        raise BasketInvalid(f"/lines/{place}/discount", message)
    return amount - discount


def _minor(text: str, currency: str, pointer: str) -> int:
    try:
        return to_minor(text, currency)
    except ValueError as error:
        raise BasketInvalid(pointer, f"{error}.") from None


def _found(lines: Sequence[BasketLine], products: Mapping[str, Product]) -> list[Product | None]:
    return [products.get(line.sku) if line.sku is not None else None for line in lines]


def _line(line: BasketLine, net: int, product: Product | None) -> Line:
    """Return a line with its product's facts; where the master has none, those of the till."""
    if product is None:
        path = (line.category,) if line.category is not None else ()
        product = Product(path, line.brand)
    return Line(
        number=line.number,
        sku=line.sku,
        quantity=_quantity(line.quantity),
        net=net,
        path=product.path,
        brand=product.brand,
        attributes={**product.attributes, **line.attributes}
        if line.attributes
        else product.attributes,
        earns=line.earns,
    )


def _quantity(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole) * PIECE + int((part + "0000")[:4])
