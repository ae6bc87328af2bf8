"""Sweepstakes, their prizes and tickets, and the draws that anyone can check."""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.core.validators import URLValidator
from django.db import models
from django.db.models import F, Q

from loyalty.models import CODE
from loyalty.models.lookups import texts_by_language


class Sweepstake(models.Model):
    """A game of chance for tickets: free ones, ones for points, and ones that promotions give.

    Publishing it fixes the rules and commits to a secret seed, before there is any ticket. The
    list of tickets is fixed after closing; then it is drawn. `last_number` and what tickets there
    are change only under the row's lock, the last in the order of locks.
    """

    class Status(models.TextChoices):
        DRAFT = "DRAFT", "Draft"
        UPCOMING = "UPCOMING", "Opens later"
        OPEN = "OPEN", "Open"
        CLOSED = "CLOSED", "Closed, not drawn yet"
        DRAWN = "DRAWN", "Drawn"
        WITHDRAWN = "WITHDRAWN", "Withdrawn"

    code = models.CharField(max_length=64, unique=True, validators=[CODE])
    name = models.CharField(max_length=200)
    text = models.CharField(max_length=4000, blank=True, help_text="What members read.")
    terms_url = models.CharField(
        max_length=200,
        blank=True,
        validators=[URLValidator(["https", "http"])],
        help_text="Where the terms stand.",
    )
    translations = models.JSONField(
        default=dict,
        blank=True,
        validators=[texts_by_language],
        help_text='{"de": {"name": "…", "text": "…", "terms_url": "…"}}',
    )
    opens_at = models.DateTimeField()
    closes_at = models.DateTimeField(help_text="From this instant on nobody enters.")
    draws_at = models.DateTimeField(help_text="When the winners are drawn; not before it closes.")
    free_per_member = models.PositiveIntegerField(
        default=0, help_text="How many free tickets a member may take; 0: none."
    )
    point_type = models.ForeignKey(
        "ledger.PointType", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    points = models.BigIntegerField(
        null=True, blank=True, help_text="The price of a ticket; empty: not for points."
    )
    at_most = models.PositiveIntegerField(
        null=True, blank=True, help_text="The most tickets that a member may hold; empty: no limit."
    )
    segments = ArrayField(
        models.CharField(max_length=64), default=list, blank=True, help_text="Any of these will do."
    )
    tiers = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    stages = ArrayField(models.CharField(max_length=10), default=list, blank=True)
    min_age = models.PositiveSmallIntegerField(null=True, blank=True)
    countries = ArrayField(
        models.CharField(max_length=2),
        default=list,
        blank=True,
        help_text="Where members must live, such as AT; empty: anywhere.",
    )
    one_prize_each = models.BooleanField(
        default=True, help_text="A member wins at most one prize, whatever the tickets."
    )
    tells_total = models.BooleanField(
        default=True, help_text="Members are told how many tickets there are."
    )
    visible = models.BooleanField(default=True, help_text="It is listed for members and partners.")
    published_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    listed_at = models.DateTimeField(
        null=True, blank=True, help_text="When the list of tickets was fixed."
    )
    commitment = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the seed.")
    seed_sealed = models.BinaryField(max_length=400, null=True)
    key_sealed = models.BinaryField(max_length=400, null=True)
    last_number = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(closes_at__gt=F("opens_at")) & Q(draws_at__gte=F("closes_at")),
                name="promotions_sweepstake_times",
            ),
            models.CheckConstraint(
                condition=Q(points__isnull=True) | (Q(points__gt=0) & Q(point_type__isnull=False)),
                name="promotions_sweepstake_price",
            ),
            models.CheckConstraint(
                condition=Q(published_at__isnull=True) | ~Q(commitment=""),
                name="promotions_sweepstake_committed",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    def open_at(self, at: datetime) -> bool:
        """Return whether tickets are given at an instant."""
        return self.status_at(at) == self.Status.OPEN

    def status_at(self, at: datetime) -> str:
        """Return how it stands at an instant; that it was drawn is for its `Draw` to say."""
        if self.published_at is None:
            return self.Status.DRAFT
        if self.withdrawn_at is not None:
            return self.Status.WITHDRAWN
        if self.listed_at is not None or at >= self.closes_at:
            return self.Status.CLOSED
        return self.Status.OPEN if at >= self.opens_at else self.Status.UPCOMING


class Prize(models.Model):
    """A prize of a sweepstake; the first place is drawn first. It may be a voucher."""

    sweepstake = models.ForeignKey(Sweepstake, on_delete=models.CASCADE, related_name="prizes")
    place = models.PositiveSmallIntegerField()
    quantity = models.PositiveSmallIntegerField(default=1)
    name = models.CharField(max_length=200)
    text = models.CharField(max_length=4000, blank=True)
    translations = models.JSONField(default=dict, blank=True, validators=[texts_by_language])
    voucher_type = models.ForeignKey(
        "vouchers.VoucherType", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["place"]
        constraints = [
            models.UniqueConstraint(fields=["sweepstake", "place"], name="promotions_prize_place"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="promotions_prize_quantity"),
        ]

    def __str__(self) -> str:
        return f"{self.place}. {self.name}"


class Ticket(models.Model):
    """A chance of a member. Tickets of a sweepstake are numbered without gaps, and none vanishes.

    One that is taken back is `voided_at` and keeps its number. `pseudonym` stands for its member
    in the list that is published; it leads back to nobody.
    """

    class Source(models.TextChoices):
        FREE = "FREE", "Free"
        POINTS = "POINTS", "For points"
        PROMOTION = "PROMOTION", "From a promotion"

    sweepstake = models.ForeignKey(
        Sweepstake, on_delete=models.PROTECT, related_name="tickets", db_index=False
    )
    number = models.PositiveBigIntegerField()
    member = models.ForeignKey(
        "members.Member", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    pseudonym = models.CharField(max_length=32)
    source = models.CharField(max_length=10, choices=Source.choices)
    origin_id = models.UUIDField(help_text="The transaction or posting it came from.")
    partner = models.ForeignKey(
        "partners.Partner", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    at = models.DateTimeField()
    voided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["sweepstake", "number"], name="promotions_ticket_number"
            )
        ]
        indexes = [
            models.Index(fields=["member", "sweepstake"], name="ticket_of_member"),
            models.Index(fields=["origin_id"], name="ticket_origin"),
        ]

    def __str__(self) -> str:
        return f"{self.sweepstake_id} {self.number}"


class Draw(models.Model):
    """The draw of a sweepstake: all that anyone needs to find the same winners."""

    sweepstake = models.OneToOneField(Sweepstake, on_delete=models.PROTECT, related_name="draw")
    algorithm = models.CharField(max_length=32)
    seed = models.CharField(max_length=64, help_text="The secret of the commitment, in hex.")
    list_digest = models.CharField(max_length=64, help_text="SHA-256 of the list of tickets.")
    tickets = models.PositiveBigIntegerField()
    drawn_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"draw of {self.sweepstake_id}"


class Winner(models.Model):
    """A prize that was drawn: `position` counts all prizes of a draw, from 1."""

    draw = models.ForeignKey(Draw, on_delete=models.PROTECT, related_name="winners")
    position = models.PositiveIntegerField()
    prize = models.ForeignKey(Prize, on_delete=models.PROTECT, related_name="+")
    ticket = models.ForeignKey(Ticket, on_delete=models.PROTECT, related_name="+")
    voucher = models.UUIDField(null=True, help_text="The voucher that is the prize, once issued.")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["draw", "position"], name="promotions_winner_position")
        ]

    def __str__(self) -> str:
        return f"{self.position}. of {self.draw_id}"
