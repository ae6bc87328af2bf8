"""From a till's basket to a purchase: discounts allocated, nets known, tenders compared."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from promotions.engine.money import share_out, to_minor, to_text
from promotions.engine.types import PIECE, Line, Purchase, Tender

COST_MAX = "999999999999"  # Of all lines together, in any currency: what the books can hold.


class BasketLine(msgspec.Struct, frozen=True):
    """A line as the till sent it: `amount` for its whole quantity, before `discount`."""

    number: int
    sku: str | None
    quantity: str
    amount: str
    discount: str = "0"
    tax: str = "0"
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


class Counting(msgspec.Struct, frozen=True):
    """What of a basket counts for promotions, where programmes differ.

    `not_earning` are the categories whose lines do not, `not_tenders` the types of tenders.
    """

    tax: bool = True
    basket_discount_lowers_lines: bool = True
    not_earning: frozenset[str] = frozenset()
    not_tenders: frozenset[str] = frozenset()


EVERYTHING = Counting()


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
    basket: Basket,
    products: Mapping[str, Product],
    *,
    partner: str,
    zone: ZoneInfo,
    counting: Counting = EVERYTHING,
) -> Purchase:
    """Return the basket as the engine evaluates it, in its own currency.

    Line discounts belong to their line; the basket's discount is shared over what the lines
    leave, by largest remainder, to the minor unit. What does not count is put into the purchase,
    so that it stays as it was when this is evaluated again.

    :raises BasketInvalid: if an amount has too many places, the lines cost more than the books can
        hold, or a discount is more than there is.
    :raises TendersDiffer: if there are tenders and they do not sum to the lines less discounts.
    """
    left, discount = _left_and_discount(basket)
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
        lines=tuple(_lines(basket, left, nets, products, counting)),
        outlet=basket.outlet,
        channel=basket.channel,
        tenders=tenders,
        coupons=basket.coupons,
        attributes=basket.attributes,
        not_tenders=tuple(sorted({each.type for each in tenders} & counting.not_tenders)),
    )


def cost_of(basket: Basket) -> int:
    """Return what the lines of a basket cost after all discounts, in its minor units.

    :raises BasketInvalid: see `purchase_of`.
    """
    left, discount = _left_and_discount(basket)
    return sum(left) - discount


def _left_and_discount(basket: Basket) -> tuple[list[int], int]:
    """Return what the lines leave after their own discounts, and the basket's."""
    left = [_left_of_line(line, place, basket.currency) for place, line in enumerate(basket.lines)]
    if sum(left) > to_minor(COST_MAX, basket.currency):
        raise BasketInvalid("/lines", f"Lines cost at most {COST_MAX} together.")
    discount = _minor(basket.discount, basket.currency, "/discount")
    if discount > sum(left):
        raise BasketInvalid("/discount", "The discount is more than the lines leave.")
    return left, discount


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


def _lines(
    basket: Basket,
    left: Sequence[int],
    nets: Sequence[int],
    products: Mapping[str, Product],
    counting: Counting,
) -> Iterator[Line]:
    lowers = counting.basket_discount_lowers_lines or sum(left) == sum(nets)
    for place, line in enumerate(basket.lines):
        product = _product(line, products)
        attributes = product.attributes
        yield Line(
            number=line.number,
            sku=line.sku,
            quantity=_quantity(line.quantity),
            net=nets[place],
            path=product.path,
            brand=product.brand,
            attributes={**attributes, **line.attributes} if line.attributes else attributes,
            earns=line.earns and counting.not_earning.isdisjoint(product.path),
            tax=min(_tax(line, place, left[place], basket.currency, counting), nets[place]),
            before=None if lowers else left[place],
        )


def _tax(line: BasketLine, place: int, left: int, currency: str, counting: Counting) -> int:
    """Return the tax of a line that does not count."""
    pointer = f"/lines/{place}/tax"
    tax = _minor(line.tax, currency, pointer)
    if tax > left:
        raise BasketInvalid(pointer, "The tax is more than the line's amount less its discount.")
    return 0 if counting.tax else tax


def _product(line: BasketLine, products: Mapping[str, Product]) -> Product:
    """Return a product's facts; where the master has none, those of the till."""
    found = products.get(line.sku) if line.sku is not None else None
    if found is not None:
        return found
    return Product((line.category,) if line.category is not None else (), line.brand)


def _quantity(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole) * PIECE + int((part + "0000")[:4])
