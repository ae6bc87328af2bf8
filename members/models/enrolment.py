"""Enrolments that carry a partner's own id, and members who may be one person."""

from django.db import models
from django.db.models import F, Q

from members.models.member import Member


class Enrolment(models.Model):
    """An enrolment under the caller's own reference, with what it was answered first."""

    partner = models.ForeignKey(
        "partners.Partner", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    reference = models.CharField(max_length=200)
    digest = models.BinaryField(max_length=32)
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    result = models.JSONField(default=dict, help_text="What the first answer was made from.")
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["partner", "reference"], name="members_enrolment_reference"
            )
        ]

    def __str__(self) -> str:
        return self.reference


class DuplicateFlag(models.Model):
    """Two members who may be one person: somebody should look, and merge them or not."""

    class Status(models.TextChoices):
        OPEN = "OPEN", "To be looked at"
        MERGED = "MERGED", "Merged"
        DISMISSED = "DISMISSED", "Two persons"

    earlier = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    later = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    matched = models.CharField(max_length=40, help_text="The contacts that they share.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    flagged_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["earlier", "later"], name="members_duplicateflag_pair"),
            models.CheckConstraint(
                condition=Q(earlier__lt=F("later")), name="members_duplicateflag_order"
            ),
        ]
        indexes = [
            models.Index(fields=["flagged_at"], condition=Q(status="OPEN"), name="duplicates_open")
        ]

    def __str__(self) -> str:
        return f"{self.earlier_id} and {self.later_id}"
