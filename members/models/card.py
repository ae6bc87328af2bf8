"""Cards, the ranges their numbers are from, and the chain from a card to its successor."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length
from django.db.models.lookups import Exact

from loyalty.models import CODE
from members.models.member import Member

DIGITS = RegexValidator(r"^[0-9]{4,31}$", "4 to 31 digits.")


class CardRange(models.Model):
    """Numbers that the programme's cards have: from `first` to `last`, each with a check digit.

    Laurel gives out the numbers of a range by itself, in order; those of a pre-printed one come
    with whoever holds the card. `issued` counts the numbers that were given out or passed over.
    """

    class CheckDigit(models.TextChoices):
        LUHN = "LUHN", "One more digit, by Luhn"
        NONE = "NONE", "None"

    code = models.CharField(max_length=64, unique=True, validators=[CODE])
    name = models.CharField(max_length=200)
    first = models.CharField(
        max_length=31, validators=[DIGITS], help_text="The lowest number, without its check digit."
    )
    last = models.CharField(
        max_length=31, validators=[DIGITS], help_text="The highest number, as long as the lowest."
    )
    check_digit = models.CharField(
        max_length=4, choices=CheckDigit.choices, default=CheckDigit.LUHN
    )
    preprinted = models.BooleanField(
        default=False, help_text="Its cards are printed: who brings a free one may enrol with it."
    )
    partner = models.ForeignKey(
        "partners.Partner",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Whose members get these cards; empty: everybody's.",
    )
    active = models.BooleanField(default=True, help_text="New cards may be given out of it.")
    issued = models.DecimalField(max_digits=32, decimal_places=0, default=0, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(first__lte=F("last"), last__regex=r"^[0-9]+$"),
                name="members_cardrange_order",
            ),
            models.CheckConstraint(
                condition=Q(first__regex=r"^[0-9]+$") & Q(Exact(Length("first"), Length("last"))),
                name="members_cardrange_length",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def length(self) -> int:
        """How many digits a card's number has, with its check digit."""
        return len(self.first) + (self.check_digit == self.CheckDigit.LUHN)

    @property
    def capacity(self) -> int:
        """How many numbers there are."""
        return int(self.last) - int(self.first) + 1


class Card(models.Model):
    """A card that names its member. One that was replaced leads to its successor.

    `reported_at` is when it was reported lost or stolen, or replaced: late sales are accepted for
    a while from then on.
    """

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", "Active"
        LOST = "LOST", "Lost"
        STOLEN = "STOLEN", "Stolen"
        REPLACED = "REPLACED", "Replaced"
        BLOCKED = "BLOCKED", "Blocked"
        CLOSED = "CLOSED", "Closed"

    number = models.CharField(max_length=32, unique=True)
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="cards")
    range = models.ForeignKey(
        CardRange, null=True, blank=True, on_delete=models.PROTECT, related_name="cards"
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    successor = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="predecessors"
    )
    issued_at = models.DateTimeField()
    reported_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.number
