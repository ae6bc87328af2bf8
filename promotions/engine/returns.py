"""What of a purchase is kept after returns. Only sums count, so that no order or split matters."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from promotions.engine.currency import converted
from promotions.engine.money import share_out
from promotions.engine.types import PIECE, Line, Purchase


class Returned(msgspec.Struct, frozen=True):
    """What came back of a line: quantity in ten-thousandths, refund in the basket's minor units."""

    line: int
    quantity: int
    refund: int


class Wanted(msgspec.Struct, frozen=True):
    """What is to come back of a line; without a refund, the line's net in proportion."""

    line: int
    quantity: int
    refund: int | None


class Exceeds(ValueError):
    """More comes back than is left; `place` is that of the line in the request, None for all."""

    def __init__(self, place: int | None, message: str) -> None:
        super().__init__(message)
        self.place = place


def paid(line: Line) -> int:
    """Return what was paid for a line, in minor units of the basket's currency."""
    return line.net if line.paid is None else line.paid


def refunds(
    purchase: Purchase, before: Mapping[int, Returned], wanted: Sequence[Wanted]
) -> list[Returned]:
    """Return what comes back now, each refund settled; `before` came back already, by line.

    A default refund is reckoned from the quantity returned so far, so that the last piece takes
    the rest; it is never more than what is left of the line.

    :raises Exceeds: if more comes back than was bought, or is refunded than was paid.
    """
    lines = {line.number: line for line in purchase.lines}
    found = []
    for place, each in enumerate(wanted):
        if each.line not in lines:
            raise Exceeds(place, f"The purchase has no line {each.line}.")
        line, earlier = lines[each.line], before.get(each.line) or Returned(each.line, 0, 0)
        quantity = earlier.quantity + each.quantity
        if quantity > line.quantity:
            left = (line.quantity - earlier.quantity) / PIECE
            raise Exceeds(place, f"Of line {each.line}, {left:g} is left to return.")
        refund = each.refund
        if refund is None:
            due = _share(paid(line), quantity, line.quantity)
            refund = max(0, min(due, paid(line)) - earlier.refund)
        found.append(Returned(each.line, each.quantity, refund))
    sums = together([*before.values(), *found])
    if sum(each.refund for each in sums.values()) > sum(map(paid, purchase.lines)):
        raise Exceeds(None, "More would be refunded than was paid.")
    return found


def _share(amount: int, part: int, whole: int) -> int:
    exact = Decimal(amount) * part / whole
    return int(exact.to_integral_value(ROUND_HALF_EVEN))


def together(returned: Sequence[Returned]) -> dict[int, Returned]:
    """Return the sums by line."""
    sums: dict[int, Returned] = {}
    for each in returned:
        known = sums.get(each.line) or Returned(each.line, 0, 0)
        sums[each.line] = Returned(
            each.line, known.quantity + each.quantity, known.refund + each.refund
        )
    return sums


def remaining(purchase: Purchase, returned: Mapping[int, Returned]) -> list[int]:
    """Return what is left of what was paid for each line, in the basket's currency.

    A line whose whole quantity came back has nothing left, whatever was refunded for it. A refund
    above a line's net is taken from the other lines, in proportion to what is left of them.
    """
    gone = _gone(purchase, returned)
    own = [returned[x.number].refund if x.number in returned else 0 for x in purchase.lines]
    left = [
        0 if is_gone else max(0, paid(line) - refund)
        for line, refund, is_gone in zip(purchase.lines, own, gone, strict=True)
    ]
    excess = sum(
        max(0, refund - paid(line)) for line, refund in zip(purchase.lines, own, strict=True)
    )
    shares = share_out(min(excess, sum(left)), left)
    return [amount - share for amount, share in zip(left, shares, strict=True)]


def _gone(purchase: Purchase, returned: Mapping[int, Returned]) -> list[bool]:
    return [
        line.number in returned and returned[line.number].quantity >= line.quantity
        for line in purchase.lines
    ]


def kept(purchase: Purchase, returned: Mapping[int, Returned]) -> Purchase | None:
    """Return what the member keeps of a purchase; None if that is nothing."""
    left = remaining(purchase, returned)
    if not any(left):
        return None
    nets = left if purchase.rate is None else converted(left, purchase.rate)
    return msgspec.structs.replace(
        purchase,
        lines=tuple(
            msgspec.structs.replace(
                line,
                quantity=line.quantity
                - (returned[line.number].quantity if line.number in returned else 0),
                refunded=max(0, line.net - net),
                gone=is_gone,
            )
            for line, net, is_gone in zip(
                purchase.lines, nets, _gone(purchase, returned), strict=True
            )
        ),
    )
