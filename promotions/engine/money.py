"""Money in integers: minor units of its currency, shared out to the last one."""

from collections.abc import Sequence
from decimal import Decimal

from loyalty.money import places


def to_minor(text: str, currency: str) -> int:
    """Return decimal text in minor units.

    :raises ValueError: if it has more places than the currency.
    """
    scaled = Decimal(text).scaleb(places(currency))
    minor = int(scaled)
    if scaled != minor:
        raise ValueError(f"{text} has more places than {currency}")
    return minor


def to_text(minor: int, currency: str) -> str:
    """Return minor units as decimal text."""
    return str(Decimal(minor).scaleb(-places(currency)))


def share_out(total: int, weights: Sequence[int]) -> list[int]:
    """Share `total` in proportion to `weights` by largest remainder; the shares sum to it.

    Of equal remainders the earlier gets the odd unit. Nothing is shared over weights of zero.
    """
    whole = sum(weights)
    if whole <= 0 or total <= 0:
        return [0] * len(weights)
    shares, remainders = [], []
    for place, weight in enumerate(weights):
        share, remainder = divmod(total * weight, whole)
        shares.append(share)
        remainders.append((-remainder, place))
    for _, place in sorted(remainders)[: total - sum(shares)]:
        shares[place] += 1
    return shares
