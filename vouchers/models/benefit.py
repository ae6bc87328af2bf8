"""Benefits: what a member may have without paying points."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from loyalty.models import CODE


class Benefit(models.Model):
    """An entitlement of a tier, a subscription or an allocation, with a quota that resets."""

    class Reset(models.TextChoices):
        NEVER = "NEVER", "Once and for all"
        CALENDAR = "CALENDAR", "With each calendar period"
        ROLLING = "ROLLING", "A period after each use"

    class Period(models.TextChoices):
        DAY = "DAY", "Day"
        WEEK = "WEEK", "Week"
        MONTH = "MONTH", "Month"
        QUARTER = "QUARTER", "Quarter"
        YEAR = "YEAR", "Year"

    class OnTierChange(models.TextChoices):
        KEEP = "KEEP", "Uses count on"
        FRESH = "FRESH", "The quota begins anew"

    code = models.CharField(max_length=64, unique=True, validators=[CODE])
    name = models.CharField(max_length=200)
    translations = models.JSONField(default=dict, blank=True)
    tiers = ArrayField(
        models.CharField(max_length=64),
        default=list,
        blank=True,
        help_text="Tiers whose members have it without further ado.",
    )
    quota = models.PositiveIntegerField(
        null=True, blank=True, help_text="Uses per period; empty: as many as wanted."
    )
    reset = models.CharField(max_length=10, choices=Reset.choices, default=Reset.CALENDAR)
    period = models.CharField(max_length=10, choices=Period.choices, default=Period.YEAR)
    on_tier_change = models.CharField(
        max_length=10,
        choices=OnTierChange.choices,
        default=OnTierChange.KEEP,
        help_text="Whether uses count on when the tier changes.",
    )
    voucher_type = models.ForeignKey(
        "vouchers.VoucherType",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="What is issued where the benefit is had later; empty: only on the spot.",
    )
    partners = models.ManyToManyField(
        "partners.Partner", blank=True, related_name="+", help_text="Where it is had; empty: all."
    )
    outlets = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    active_from = models.DateTimeField(null=True, blank=True)
    active_to = models.DateTimeField(null=True, blank=True)
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(quota__isnull=True) | Q(quota__gt=0), name="vouchers_benefit_quota"
            )
        ]

    def __str__(self) -> str:
        return self.code


class BenefitAllocation(models.Model):
    """A benefit given to a member whatever the tier: so many uses, in a time."""

    id = models.UUIDField(primary_key=True)
    member = models.ForeignKey("members.Member", on_delete=models.PROTECT, related_name="+")
    benefit = models.ForeignKey(Benefit, on_delete=models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField()
    left = models.PositiveIntegerField()
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True)
    reason = models.CharField(max_length=4000, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(left__lte=models.F("quantity")), name="vouchers_allocation_left"
            )
        ]

    def __str__(self) -> str:
        return f"{self.left} of {self.benefit_id} for {self.member_id}"


class BenefitUse(models.Model):
    """A benefit that a member had, and from which source; undone ones count no more."""

    id = models.UUIDField(primary_key=True)
    member = models.ForeignKey("members.Member", on_delete=models.PROTECT, related_name="+")
    benefit = models.ForeignKey(Benefit, on_delete=models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField(default=1)
    partner = models.ForeignKey(
        "partners.Partner", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    outlet = models.CharField(max_length=64, blank=True)
    subscription = models.ForeignKey(
        "vouchers.Subscription", null=True, on_delete=models.PROTECT, related_name="+"
    )
    allocation = models.ForeignKey(
        BenefitAllocation, null=True, on_delete=models.PROTECT, related_name="+"
    )
    at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["member", "benefit", "at"], name="benefituse_of_member")]

    def __str__(self) -> str:
        return f"{self.benefit_id} by {self.member_id}"
