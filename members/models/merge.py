"""Merges of two members, with what is needed to part them again."""

from django.db import models
from django.db.models import Q

from members.models.member import Member


class Merge(models.Model):
    """That one member was merged into another: what moved, so that an unmerge is its mirror."""

    id = models.BigAutoField(primary_key=True)
    giver = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", db_index=False)
    taker = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", db_index=False)
    stage_before = models.CharField(max_length=10)
    moved = models.JSONField(default=dict, help_text="The keys of the rows that moved, by table.")
    transfer_out = models.UUIDField()
    transfer_into = models.UUIDField()
    merged_at = models.DateTimeField()
    merged_by = models.CharField(max_length=200)
    undone_at = models.DateTimeField(null=True)
    undone_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["giver"], condition=Q(undone_at=None), name="members_merge_standing"
            )
        ]
        indexes = [models.Index(fields=["taker"], name="merge_of_taker")]

    def __str__(self) -> str:
        return f"{self.giver_id} into {self.taker_id}"
