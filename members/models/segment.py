"""Segments: named sets of members, and who is in them."""

from django.db import models
from django.db.models import Q

from loyalty.models import CODE
from members.models.member import Member


class Segment(models.Model):
    """A named set of members: kept by hand and by files, or by a condition that a job evaluates.

    `size` is the number of its rows of members, kept here so that a list of segments costs one
    query; every import and every night counts anew.
    """

    class Kind(models.TextChoices):
        STATIC = "STATIC", "Static: by hand and by files"
        DYNAMIC = "DYNAMIC", "Dynamic: by a condition"

    code = models.CharField(max_length=64, unique=True, validators=[CODE])
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=7, choices=Kind.choices, default=Kind.STATIC)
    condition = models.TextField(
        max_length=2000, blank=True, help_text="In CEL, over the facts of a member."
    )
    active = models.BooleanField(
        default=True, help_text="Nobody counts as in a segment that is not active."
    )
    version = models.PositiveIntegerField(default=1, editable=False)
    size = models.BigIntegerField(default=0, editable=False)
    refreshed_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="STATIC", condition="") | (Q(kind="DYNAMIC") & ~Q(condition="")),
                name="members_segment_condition",
            )
        ]

    def __str__(self) -> str:
        return self.code


class SegmentMember(models.Model):
    """A member in a segment, until a given instant or for good.

    There are millions of these, so they have no key of their own, and no foreign keys in the
    database: checking these would cost more than an import. Neither side is ever deleted.
    """

    pk = models.CompositePrimaryKey("segment_id", "member_id")
    segment = models.ForeignKey(
        Segment, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, help_text="Exclusive; empty: for good.")

    class Meta:
        indexes = [models.Index(fields=["member"], name="segment_of_member")]

    def __str__(self) -> str:
        return f"{self.member_id} in {self.segment_id}"
