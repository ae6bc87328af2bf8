"""Above what redemptions need a PIN: the member's own limit, or else the programme's."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Limits:
    """Money in the programme's currency; None is no limit, zero asks for a PIN always."""

    per_transaction: Decimal | None
    per_day: Decimal | None

    def is_above(self, other: "Limits") -> bool:
        """Return whether these allow more without a PIN than `other`, in either respect."""
        return _above(self.per_transaction, other.per_transaction) or _above(
            self.per_day, other.per_day
        )


def in_force(own: Limits, programme: Limits, at_most: Decimal | None) -> Limits:
    """Return the limits that hold: the member's where set, never above what members may set."""
    return Limits(
        _of(own.per_transaction, programme.per_transaction, at_most),
        _of(own.per_day, programme.per_day, at_most),
    )


def _of(own: Decimal | None, programme: Decimal | None, at_most: Decimal | None) -> Decimal | None:
    if own is None:
        return programme
    return own if at_most is None else min(own, at_most)


def _above(one: Decimal | None, other: Decimal | None) -> bool:
    if other is None:
        return False
    return one is None or one > other
