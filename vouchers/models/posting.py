"""What was posted without moving points."""

from django.db import models


class Posting(models.Model):
    """A subscription, voucher, benefit or allocation under the caller's reference, with its answer.

    The books keep the references of what moves points; these are the others. Kept for ever.
    """

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=30)
    partner = models.ForeignKey(
        "partners.Partner", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    reference = models.CharField(max_length=200)
    digest = models.BinaryField(max_length=32)
    member = models.ForeignKey(
        "members.Member", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    posted_at = models.DateTimeField()
    answer = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["partner", "kind", "reference"], name="vouchers_posting_reference"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"
