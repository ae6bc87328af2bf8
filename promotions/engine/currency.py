"""A purchase in another currency, converted line by line into the programme's."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from loyalty.money import places
from promotions.engine.money import share_out
from promotions.engine.types import Line, Purchase, Tender


def in_currency(purchase: Purchase, currency: str, rate: Decimal) -> Purchase:
    """Return a purchase in `currency`, of which one unit of its own is worth `rate` units.

    Totals are converted half even to the minor unit and shared by largest remainder, so that the
    lines sum to the converted total, and the tenders, too. What was paid for each line stays with
    it, and the rate with the purchase: returns are reckoned by both.
    """
    minor = str(rate.scaleb(places(currency) - places(purchase.currency)).normalize())
    nets = converted([line.net for line in purchase.lines], minor)
    befores: Sequence[int | None] = [None] * len(nets)
    if any(line.before is not None for line in purchase.lines):
        befores = converted([line.before or 0 for line in purchase.lines], minor)
    paid = converted([tender.amount for tender in purchase.tenders], minor)
    return msgspec.structs.replace(
        purchase,
        currency=currency,
        sent_in=purchase.currency,
        rate=minor,
        lines=tuple(
            _line(line, net, before, minor)
            for line, net, before in zip(purchase.lines, nets, befores, strict=True)
        ),
        tenders=tuple(
            Tender(tender.type, amount)
            for tender, amount in zip(purchase.tenders, paid, strict=True)
        ),
    )


def _line(line: Line, net: int, before: int | None, rate: str) -> Line:
    tax = min(converted([line.tax], rate)[0], net) if line.tax else 0
    return msgspec.structs.replace(line, net=net, before=before, tax=tax, paid=line.net)


def converted(amounts: Sequence[int], rate: str) -> list[int]:
    """Return amounts converted at a rate of minor units: the total half even, shared by line."""
    total = int((Decimal(sum(amounts)) * Decimal(rate)).to_integral_value(ROUND_HALF_EVEN))
    return share_out(total, amounts)
