"""Ranges of card numbers: keeping them apart, and taking the next free number of one."""

from collections.abc import Iterable
from decimal import Decimal

from django.db import connection

from loyalty.errors import FieldError, ValidationFailed
from members.errors import CardsExhausted
from members.models import Card, CardRange
from members.queries.cards import number_at

LOOK_AHEAD = 100  # Numbers that are looked at together: those before the next free one are rare.


def save_range(wanted: CardRange) -> None:
    """Store a range, new or changed; a step.

    :raises ValidationFailed: see `check_range`.
    """
    check_range(wanted)
    wanted.save()


def check_range(wanted: CardRange) -> None:
    """Check that a range is one, and stays so until the transaction ends; a step.

    :raises ValidationFailed: if it is no range, leaves out a number that was given, or shares one
        with another range.
    """
    assert connection.in_atomic_block
    if len(wanted.first) != len(wanted.last) or wanted.first > wanted.last:
        message = "The last number is as long as the first, and not before it."
        raise ValidationFailed([FieldError("/last", "OUT_OF_RANGE", message)])
    with connection.cursor() as cursor:  # Two that are stored at once must see each other.
        cursor.execute("LOCK TABLE members_cardrange IN SHARE ROW EXCLUSIVE MODE")
    for other in CardRange.objects.exclude(pk=wanted.pk):
        if other.length == wanted.length and _overlap(wanted, other):
            message = f"The range {other.code} holds some of these numbers."
            raise ValidationFailed([FieldError("/first", "NOT_UNIQUE", message)])
    if wanted.issued > wanted.capacity:
        message = "Numbers behind this one were given out."
        raise ValidationFailed([FieldError("/last", "OUT_OF_RANGE", message)])


def _overlap(one: CardRange, other: CardRange) -> bool:
    def bounds(each: CardRange) -> tuple[str, str]:
        return each.first.ljust(each.length, "0"), each.last.ljust(each.length, "9")

    (first, last), (other_first, other_last) = bounds(one), bounds(other)
    return first <= other_last and other_first <= last


def take_number(sources: Iterable[CardRange]) -> tuple[str, CardRange]:
    """Return the next free number of the first range that has one; a step.

    The range's row stays locked until the transaction ends, so no two take the same number. What
    a refusal rolls back is taken by the next: gaps only come from numbers that a card has already.

    :raises CardsExhausted: if no range has a number left.
    """
    assert connection.in_atomic_block
    for source in sources:
        locked = lock_range(source.pk)
        serial = _next_free(locked)
        if serial is not None:
            locked.issued = Decimal(serial + 1)
            locked.save(update_fields=["issued"])
            return number_at(locked, serial), locked
    raise CardsExhausted


def lock_range(pk: int) -> CardRange:
    """Return a range that nobody else takes numbers from until the transaction ends."""
    return CardRange.objects.select_for_update(no_key=True).get(pk=pk)


def _next_free(source: CardRange) -> int | None:
    serial = int(source.issued)
    while serial < source.capacity:
        until = min(serial + LOOK_AHEAD, source.capacity)
        ahead = {number_at(source, each): each for each in range(serial, until)}
        taken = set(Card.objects.filter(number__in=ahead).values_list("number", flat=True))
        for number, place in ahead.items():
            if number not in taken:
                return place
        serial = until
    return None
