"""The ladder that leads to tiers, and what members have on it."""

from django.db import models
from django.db.models import F, Q

from members.models.member import Member
from members.models.tier import Tier


class LadderVersion(models.Model):
    """The rules of the ladder from an instant on. Never changed: an edit makes the next version."""

    number = models.PositiveIntegerField(unique=True)
    definition = models.JSONField()
    effective_from = models.DateTimeField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"ladder v{self.number}"


class TierMeasure(models.Model):
    """What a member did on a local day: points by type, spend in minor units, purchases.

    The day is that of the sale, also for what a return takes back. Days are summed over windows;
    a visit is a day with a purchase that still stands.
    """

    class Measure(models.TextChoices):
        POINTS = "POINTS", "Points"
        SPEND = "SPEND", "Spend"
        VISITS = "VISITS", "Purchases"

    id = models.BigAutoField(primary_key=True)
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", db_index=False)
    measure = models.CharField(max_length=8, choices=Measure.choices)
    point_type = models.BigIntegerField(default=0, help_text="0 for what is not points.")
    day = models.DateField()
    amount = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["member", "measure", "point_type", "day"], name="members_tiermeasure_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.measure} of {self.member_id} on {self.day}"


class TierOverride(models.Model):
    """A tier given by hand for a time, whatever the rules say; a future one waits for its start.

    `had_tier`, `had_since` and `had_until` are what was held when it began.
    """

    id = models.BigAutoField(primary_key=True)
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", db_index=False)
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=4000)
    actor_kind = models.CharField(max_length=10)
    actor = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    had_tier = models.CharField(max_length=64, blank=True)
    had_since = models.DateTimeField(null=True)
    had_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="members_tieroverride_period",
            )
        ]
        indexes = [
            models.Index(
                fields=["member", "starts_at"], condition=Q(closed_at=None), name="override_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.tier_id} of {self.member_id} from {self.starts_at}"


class TierCheck(models.Model):
    """An instant at which a member's tier is to be looked at again, by whoever comes first."""

    id = models.BigAutoField(primary_key=True)
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+", db_index=False)
    due_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["member", "due_at"], name="members_tiercheck_once")
        ]

    def __str__(self) -> str:
        return f"tier of {self.member_id} at {self.due_at}"
