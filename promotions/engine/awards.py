"""The kinds of award: the points by line that a version gives on the lines that count."""

from collections.abc import Callable

from promotions.engine.claims import Shares
from promotions.engine.types import PIECE, Purchase
from promotions.engine.versions import Version


def _fixed(
    version: Version, purchase: Purchase, counted: list[int], bases: list[int], carried: int
) -> Shares:
    return {None: version.definition.award.points or 0}


def _per_amount(
    version: Version, purchase: Purchase, counted: list[int], bases: list[int], carried: int
) -> Shares:
    """Give points for each step of money: whole steps of the line, or of all lines together."""
    award = version.definition.award
    points = award.points or 0
    if award.scope == "BASKET":
        basis = max(0, sum(bases[place] for place in counted) + carried)
        steps = _steps(basis, version.per, award.rounding)
        return {None: points * steps} if steps else {}
    shares: Shares = {}
    for place in counted:
        if steps := _steps(bases[place], version.per, award.rounding):
            shares[purchase.lines[place].number] = points * steps
    return shares


def _steps(basis: int, per: int, rounding: str) -> int:
    if rounding == "FLOOR":
        return basis // per
    if rounding == "CEILING":
        return -(-basis // per)
    return (2 * basis + per) // (2 * per)


def _per_item(
    version: Version, purchase: Purchase, counted: list[int], bases: list[int], carried: int
) -> Shares:
    points = version.definition.award.points or 0
    pieces = {purchase.lines[p].number: purchase.lines[p].quantity // PIECE for p in counted}
    return {number: points * count for number, count in pieces.items() if count}


def _banded(
    version: Version, purchase: Purchase, counted: list[int], bases: list[int], carried: int
) -> Shares:
    """Give what the highest band says that the lines that count reach together."""
    basis = sum(bases[place] for place in counted)
    reached = [band for band in version.bands if band[0] <= basis]
    if not reached:
        return {}
    _, points, per = reached[-1]
    rounding = version.definition.award.rounding
    return {None: points * _steps(basis, per, rounding) if per else points}


def _nothing(
    version: Version, purchase: Purchase, counted: list[int], bases: list[int], carried: int
) -> Shares:
    """Give no points: a multiplier's follow from the base awards, a voucher is none."""
    return {}


# Each takes the version, the purchase, the places of the lines that count, the bases of all
# lines, and the money that an earlier purchase left below a step.
SHARES: dict[str, Callable[[Version, Purchase, list[int], list[int], int], Shares]] = {
    "FIXED": _fixed,
    "PER_AMOUNT": _per_amount,
    "PER_ITEM": _per_item,
    "BANDED": _banded,
    "MULTIPLIER": _nothing,
    "VOUCHER": _nothing,
    "TICKET": _nothing,
}
