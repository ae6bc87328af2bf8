"""Members: the people enrolled in the programme."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from members.models.tier import Tier


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
    version = models.PositiveIntegerField(default=1, help_text="Counts changes of the profile.")
    first_name = models.CharField(max_length=200, blank=True)
    last_name = models.CharField(max_length=200, blank=True)
    birth_date = models.DateField(null=True, blank=True)
    email = models.CharField(max_length=254, blank=True, help_text="In lower case.")
    email_confirmed_at = models.DateTimeField(null=True, blank=True)
    phone = models.CharField(max_length=20, blank=True, help_text="E.164, such as +43123456789.")
    phone_confirmed_at = models.DateTimeField(null=True, blank=True)
    address = models.JSONField(default=dict, blank=True)
    language = models.CharField(max_length=16, blank=True)
    currency = models.CharField(
        max_length=3, blank=True, help_text="In which values are shown; empty: the programme's."
    )
    attributes = models.JSONField(
        default=dict, blank=True, help_text="By the programme's own schema of member attributes."
    )
    enrolled_by = models.ForeignKey(
        "partners.Partner", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    joined_at = models.DateTimeField()
    stage_since = models.DateTimeField(null=True, blank=True)
    tier_since = models.DateTimeField(null=True, blank=True)
    tier_until = models.DateTimeField(
        null=True, blank=True, help_text="Until when the review leaves the tier alone."
    )
    referrer = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="referred"
    )
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="merged"
    )
    erased_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("erase_member", "Can erase the personal data of members")]
        constraints = [
            models.CheckConstraint(
                condition=Q(stage="MERGED", merged_into__isnull=False)
                | (~Q(stage="MERGED") & Q(merged_into__isnull=True)),
                name="members_member_merged_into",
            )
        ]
        indexes = [
            models.Index(fields=["email"], condition=~Q(email=""), name="member_email"),
            models.Index(fields=["phone"], condition=~Q(phone=""), name="member_phone"),
            models.Index(Lower("last_name"), name="member_last_name"),
        ]

    def __str__(self) -> str:
        return self.number
