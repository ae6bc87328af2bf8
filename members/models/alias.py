"""Names by which other systems know a member."""

from django.db import models

from members.models.member import Member


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
