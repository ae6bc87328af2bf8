"""Members and the ways to name them: number, card, alias."""

from django.db import models
from django.db.models import Q

from loyalty.models import CODE


class Tier(models.Model):
    """A rung of the ladder that members climb. The base tier is everybody's first."""

    code = models.CharField(max_length=64, unique=True, validators=[CODE])
    name = models.CharField(max_length=200)
    rank = models.PositiveSmallIntegerField(unique=True)
    is_base = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_base"], condition=Q(is_base=True), name="members_tier_one_base"
            )
        ]

    def __str__(self) -> str:
        return self.code


class Member(models.Model):
    """A person enrolled in the programme. Points are kept in the ledger, not here."""

    class Stage(models.TextChoices):
        PENDING = "PENDING", "Pending"
        ACTIVE = "ACTIVE", "Active"
        SUSPENDED = "SUSPENDED", "Suspended"
        DISABLED = "DISABLED", "Disabled"
        EXPIRED = "EXPIRED", "Expired"
        MERGED = "MERGED", "Merged"
        CLOSED = "CLOSED", "Closed"

    id = models.BigAutoField(primary_key=True)
    number = models.CharField(max_length=20, unique=True, help_text="Digits; the last one checks.")
    stage = models.CharField(max_length=10, choices=Stage.choices, default=Stage.ACTIVE)
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="+")
    first_name = models.CharField(max_length=200, blank=True)
    last_name = models.CharField(max_length=200, blank=True)
    enrolled_by = models.ForeignKey(
        "partners.Partner", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    joined_at = models.DateTimeField()
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="merged"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(stage="MERGED", merged_into__isnull=False)
                | (~Q(stage="MERGED") & Q(merged_into__isnull=True)),
                name="members_member_merged_into",
            )
        ]

    def __str__(self) -> str:
        return self.number


class Card(models.Model):
    """A card that names its member. A replaced one leads to its successor."""

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", "Active"
        LOST = "LOST", "Lost"
        STOLEN = "STOLEN", "Stolen"
        REPLACED = "REPLACED", "Replaced"
        BLOCKED = "BLOCKED", "Blocked"
        CLOSED = "CLOSED", "Closed"

    number = models.CharField(max_length=32, unique=True)
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="cards")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    successor = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="predecessors"
    )
    issued_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.number


class Alias(models.Model):
    """A name by which another system knows a member, vouched for by an identity provider."""

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="aliases")
    provider = models.ForeignKey(
        "loyalty.IdentityProvider", on_delete=models.PROTECT, related_name="+"
    )
    value = models.CharField(max_length=200)

    class Meta:
        verbose_name_plural = "aliases"
        constraints = [
            models.UniqueConstraint(fields=["provider", "value"], name="members_alias_value")
        ]

    def __str__(self) -> str:
        return f"{self.provider_id}:{self.value}"
