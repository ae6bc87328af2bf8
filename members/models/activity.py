"""What happened to a member beside points: the account history."""

from django.db import models

from members.models.member import Member


class Activity(models.Model):
    """One line of a member's history: what, when, by whom and why. Added to, never changed.

    Erasure alone empties `data` and `reason`, which may name a person.
    """

    id = models.BigAutoField(primary_key=True)
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=40, help_text="Such as STAGE_CHANGED.")
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=10)
    actor = models.CharField(max_length=200)
    partner = models.ForeignKey(
        "partners.Partner", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    reason = models.CharField(max_length=4000, blank=True)
    data = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "activities"
        indexes = [models.Index(fields=["member", "id"], name="activity_of_member")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.member_id}"
