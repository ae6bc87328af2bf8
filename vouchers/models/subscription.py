"""Plans that members pay for, and their subscriptions to them."""

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from loyalty.dates import parse_duration
from loyalty.models import CODE
from vouchers.models.benefit import Benefit


def check_duration(text: str) -> None:
    """:raises ValidationError: if the text is no ISO 8601 duration."""
    try:
        parse_duration(text)
    except ValueError as error:
        raise ValidationError(f"{error}.") from None


class SubscriptionPlan(models.Model):
    """What can be subscribed to: its price and period, and what it brings.

    Of the plans in one `group` a member has one at a time: another is an upgrade.
    """

    class Refund(models.TextChoices):
        NONE = "NONE", "Nothing"
        PRO_RATA = "PRO_RATA", "The days that are left"
        IF_UNUSED = "IF_UNUSED", "The days that are left, if no benefit was used"

    code = models.CharField(max_length=64, unique=True, validators=[CODE])
    name = models.CharField(max_length=200)
    translations = models.JSONField(default=dict, blank=True)
    group = models.CharField(max_length=64, blank=True, validators=[CODE])
    price = models.DecimalField(max_digits=12, decimal_places=2, validators=[MinValueValidator(0)])
    currency = models.CharField(max_length=3)
    period = models.CharField(
        max_length=32, default="P1Y", validators=[check_duration], help_text="Such as P1M or P1Y."
    )
    trial = models.CharField(
        max_length=32,
        blank=True,
        validators=[check_duration],
        help_text="A first period without payment, once per member. Empty: none.",
    )
    notice = models.CharField(
        max_length=32,
        default="P7D",
        validators=[check_duration],
        help_text="How long before the end the shop is told that a renewal is due.",
    )
    grace = models.CharField(
        max_length=32,
        default="P14D",
        validators=[check_duration],
        help_text="How long an unpaid subscription goes on.",
    )
    minimum_term = models.CharField(max_length=32, blank=True, validators=[check_duration])
    refund = models.CharField(max_length=10, choices=Refund.choices, default=Refund.PRO_RATA)
    tier = models.ForeignKey(
        "members.Tier",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The tier that subscribers have at least.",
    )
    benefits = models.ManyToManyField(Benefit, blank=True, related_name="plans")
    for_tiers = ArrayField(
        models.CharField(max_length=64), default=list, blank=True, help_text="Empty: for all."
    )
    for_segments = ArrayField(
        models.CharField(max_length=64), default=list, blank=True, help_text="Empty: for all."
    )
    for_countries = ArrayField(
        models.CharField(max_length=2), default=list, blank=True, help_text="Empty: for all."
    )
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(price__gte=0), name="vouchers_plan_price")
        ]

    def __str__(self) -> str:
        return self.code


class Subscription(models.Model):
    """A member's subscription, in the period that it is paid for.

    `status` is what was last written; between two runs of the job, `standing` tells it exactly.
    """

    class Status(models.TextChoices):
        TRIAL = "TRIAL", "On trial"
        ACTIVE = "ACTIVE", "Active"
        DUE = "DUE", "Payment due"
        CANCELLED = "CANCELLED", "Cancelled, runs to its end"
        ENDED = "ENDED", "Ended"

    id = models.UUIDField(primary_key=True)
    member = models.ForeignKey("members.Member", on_delete=models.PROTECT, related_name="+")
    plan = models.ForeignKey(SubscriptionPlan, on_delete=models.PROTECT, related_name="+")
    partner = models.ForeignKey(
        "partners.Partner", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    status = models.CharField(max_length=10, choices=Status.choices)
    started_at = models.DateTimeField()
    anchor = models.DateTimeField(help_text="Periods are counted from its local day.")
    periods = models.PositiveIntegerField(default=0, help_text="Whole periods since the anchor.")
    period_from = models.DateTimeField()
    period_to = models.DateTimeField()
    price = models.DecimalField(max_digits=12, decimal_places=2)
    currency = models.CharField(max_length=3)
    payment_reference = models.CharField(max_length=200, blank=True)
    payment_method = models.CharField(max_length=64, blank=True)
    unpaid_since = models.DateTimeField(null=True)
    auto_renew = models.BooleanField(default=True)
    announced = models.BooleanField(default=False)
    cancelled_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=4000, blank=True)
    tier_override_id = models.BigIntegerField(null=True, help_text="What holds the plan's tier.")
    due_at = models.DateTimeField(null=True, help_text="Nothing changes by itself before this.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(period_to__gt=F("period_from")), name="vouchers_subscription_period"
            ),
            models.UniqueConstraint(
                fields=["member", "plan"],
                condition=Q(ended_at=None),
                name="vouchers_subscription_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(due_at__isnull=False), name="subscription_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.plan_id} of {self.member_id}"
