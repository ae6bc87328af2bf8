"""Names by which other systems know a member."""

from django.db import models

from members.alias_forms import EMAIL, masked_value
from members.models.member import Member


class Alias(models.Model):
    """A name by which another system knows a member, vouched for by an identity provider."""

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="aliases")
    provider = models.ForeignKey(
        "loyalty.IdentityProvider", on_delete=models.PROTECT, related_name="+"
    )
    value = models.CharField(max_length=200, help_text="In the one form of the provider's kind.")
    added_at = models.DateTimeField(null=True, blank=True)
    verified_at = models.DateTimeField(
        null=True, blank=True, help_text="When the member proved that it is theirs."
    )

    class Meta:
        verbose_name_plural = "aliases"
        constraints = [
            models.UniqueConstraint(fields=["provider", "value"], name="members_alias_value")
        ]

    def __str__(self) -> str:
        # Logs of the back office keep this, and they outlive the alias.
        return masked_value(EMAIL if "@" in self.value else "", self.value)


class ReleasedAlias(models.Model):
    """A value that was given up, kept from others for a while: phone numbers are given out again.

    Only a keyed hash of it is kept, and what it looks like with its middle hidden.
    """

    provider = models.ForeignKey(
        "loyalty.IdentityProvider", on_delete=models.CASCADE, related_name="+"
    )
    value_hash = models.BinaryField(max_length=32)
    masked = models.CharField(max_length=200)
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    released_at = models.DateTimeField()
    until = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name_plural = "released aliases"
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "value_hash"], name="members_releasedalias_value"
            )
        ]

    def __str__(self) -> str:
        return self.masked
