"""What members agreed to, by category and channel of communication."""

from django.db import models

from members.models.member import Member


class Consent(models.Model):
    """That a member agreed, or took it back. Added to, never changed: the latest `at` counts.

    Erasure alone empties `source` and `proof`, which may name a person.
    """

    id = models.BigAutoField(primary_key=True)
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", db_index=False)
    category = models.CharField(max_length=64)
    channel = models.CharField(max_length=64, blank=True, help_text="Empty: whatever the channel.")
    given = models.BooleanField()
    at = models.DateTimeField(help_text="When the member said so.")
    source = models.CharField(max_length=200, blank=True, help_text="Such as WEB or a form's name.")
    proof = models.CharField(max_length=4000, blank=True)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["member", "category", "channel", "-at", "-id"], name="consent_of_member"
            )
        ]

    def __str__(self) -> str:
        return f"{self.category} {self.channel} of {self.member_id}"
