"""Which range a card's number is from."""

from django.db.models import Q
from django.db.models.functions import Length

from members import check_digits
from members.models import CardRange

LUHN = CardRange.CheckDigit.LUHN
NONE = CardRange.CheckDigit.NONE


def range_of(number: str) -> CardRange | None:
    """Return the range that a number is from, whatever its check digit; None if from none.

    One query. Ranges do not overlap.
    """
    if not (number.isascii() and number.isdigit()):
        return None
    payload, width = number[:-1], len(number)
    return (
        CardRange.objects.annotate(width=Length("first"))
        .filter(
            Q(check_digit=LUHN, width=width - 1, first__lte=payload, last__gte=payload)
            | Q(check_digit=NONE, width=width, first__lte=number, last__gte=number)
        )
        .order_by("pk")
        .first()
    )


def has_its_check_digit(found: CardRange, number: str) -> bool:
    """Return whether a number of a range ends in the digit that checks it."""
    return found.check_digit == NONE or check_digits.is_valid(number)


def number_at(source: CardRange, serial: int) -> str:
    """Return the number that stands `serial` places after a range's first, with its check digit."""
    payload = str(int(source.first) + serial).zfill(len(source.first))
    return payload if source.check_digit == NONE else check_digits.with_check_digit(payload)
