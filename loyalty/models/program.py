"""The programme itself: its settings and its staff."""

from datetime import timedelta

from django.contrib.auth.models import AbstractUser
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from loyalty.models.codes import CODE


class User(AbstractUser):
    """A person of the staff. Members are never users."""


class Program(models.Model):
    """The settings of the one programme that this deployment runs; a single row."""

    class DuplicatePolicy(models.TextChoices):
        REFUSE = "REFUSE", "Refuse the enrolment"
        RETURN = "RETURN", "Return the member who is there"
        FLAG = "FLAG", "Enrol, and flag both for a merge"

    class ClosingBalance(models.TextChoices):
        FORFEIT = "FORFEIT", "Points are forfeited"
        KEEP = "KEEP", "Points stay until they expire"

    class ReturnsWithoutOriginal(models.TextChoices):
        REFUSE = "REFUSE", "Refuse them"
        BASE = "BASE", "Take what base promotions would give"

    name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=64, help_text="Local days are counted in it.")
    time_zone_fixed = models.BooleanField(default=False, help_text="Set by the first posting.")
    currency = models.CharField(max_length=3)
    epoch = models.BigIntegerField(
        default=1, help_text="Counts changes of what processes keep in memory."
    )
    accepted_lateness = models.DurationField(default=timedelta(days=30))
    future_tolerance = models.DurationField(default=timedelta(minutes=5))
    offline_window = models.DurationField(default=timedelta(days=7))
    offline_floor = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    claim_window = models.DurationField(default=timedelta(days=7))
    redemption_grace = models.DurationField(null=True, blank=True)
    duplicate_policy = models.CharField(
        max_length=8,
        choices=DuplicatePolicy.choices,
        default=DuplicatePolicy.REFUSE,
        help_text="When somebody enrols with a contact that a member has.",
    )
    minimum_age = models.PositiveSmallIntegerField(null=True, blank=True)
    phone_region = models.CharField(
        max_length=2, default="AT", help_text="Where phone numbers without a country code are from."
    )
    member_schema = models.JSONField(
        default=dict, blank=True, help_text="The programme's own attributes of members."
    )
    confirm_contact = models.BooleanField(
        default=False, help_text="New members stay PENDING until they confirm a contact."
    )
    several_cards = models.BooleanField(default=True, help_text="A member may hold several cards.")
    lost_card_grace = models.DurationField(
        default=timedelta(days=7), help_text="How long late sales on a lost card are accepted."
    )
    session_lives = models.DurationField(default=timedelta(minutes=30))
    refresh_lives = models.DurationField(default=timedelta(days=30))
    pin_digits = models.PositiveSmallIntegerField(
        default=4, validators=[MinValueValidator(4), MaxValueValidator(12)]
    )
    step_up_lives = models.DurationField(default=timedelta(minutes=5))
    password_steps_up = models.BooleanField(
        default=False, help_text="A password may stand in for the PIN."
    )
    pin_above = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="Redemptions worth more need a PIN, unless the member set another limit.",
    )
    pin_above_per_day = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    pin_above_at_most = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="The highest limit a member may set.",
    )
    closing_balance = models.CharField(
        max_length=8, choices=ClosingBalance.choices, default=ClosingBalance.FORFEIT
    )
    expires_after_inactivity = models.DurationField(
        null=True,
        blank=True,
        help_text="Active members who did not earn or redeem for so long expire in the night.",
    )

    counts_points_paid = models.BooleanField(
        "points paid count",
        default=False,
        help_text="What is paid with points (tender POINTS) counts into the basis of promotions.",
    )
    counts_tax = models.BooleanField(
        "tax counts",
        default=True,
        help_text="The tax of a line counts into its basis; if not, `tax` of the line is left out.",
    )
    shipping_category = models.CharField(
        max_length=64,
        blank=True,
        validators=[CODE],
        help_text="Lines of this category, or below it, are shipping.",
    )
    counts_shipping = models.BooleanField(
        "shipping counts", default=True, help_text="If not, lines of shipping earn nothing."
    )
    gift_card_category = models.CharField(
        max_length=64,
        blank=True,
        validators=[CODE],
        help_text="Lines of this category, or below it, are sales of gift cards.",
    )
    counts_gift_cards = models.BooleanField(
        "gift-card sales count",
        default=False,
        help_text="If not, selling a gift card earns nothing; what is bought with it does.",
    )
    basket_discount_lowers_lines = models.BooleanField(
        "a basket's discount lowers categories",
        default=True,
        help_text="A discount on the whole basket lowers the basis of promotions on some of its"
        " lines, too; if not, only of those on the whole basket.",
    )
    carries_remainders = models.BooleanField(
        "remainders are carried over",
        default=False,
        help_text="Money below a whole step of a promotion that counts the basket, rounded down,"
        " counts with the member's next purchase; if not, it is lost.",
    )
    returns_without_original = models.CharField(
        max_length=6,
        choices=ReturnsWithoutOriginal.choices,
        default=ReturnsWithoutOriginal.REFUSE,
        help_text="When items come back and nobody knows of which purchase.",
    )

    points_expiring_before = models.DurationField(
        null=True,
        blank=True,
        default=timedelta(days=30),
        help_text="How long before points expire subscribers are told; empty: they are not.",
    )
    books_closed_until = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="The end of the last month that was settled: nothing is posted before it.",
    )
    four_eyes = models.BooleanField(
        default=False,
        help_text="What one person puts live waits until a second person approves it.",
    )
    earn_share_warning = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        default=20,
        null=True,
        blank=True,
        help_text="Warn of a promotion whose points are worth more than so many percent of the"
        " price; empty: never.",
    )

    class Meta:
        verbose_name = "programme"
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="loyalty_program_single")]

    def __str__(self) -> str:
        return self.name
