"""The currencies in which a member reads values."""

from django.db import models

from members.models.member import Member


class MemberCurrency(models.Model):
    """A currency that a member chose; for display and valuation only.

    The default one is `Member.currency`, and is never among the removed.
    """

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="currencies")
    currency = models.CharField(max_length=3)

    class Meta:
        verbose_name_plural = "member currencies"
        constraints = [
            models.UniqueConstraint(
                fields=["member", "currency"], name="members_membercurrency_code"
            )
        ]

    def __str__(self) -> str:
        return self.currency
