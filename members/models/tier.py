"""The ladder of tiers."""

from django.db import models
from django.db.models import Q

from loyalty.models import CODE


class Tier(models.Model):
    """A rung of the ladder that members climb. The base tier is everybody's first."""

    code = models.CharField(max_length=64, unique=True, validators=[CODE])
    name = models.CharField(max_length=200)
    rank = models.PositiveSmallIntegerField(unique=True)
    is_base = models.BooleanField(default=False)
    benefits = models.TextField(
        max_length=4000, blank=True, help_text="What the tier brings, in words for members."
    )
    translations = models.JSONField(
        default=dict, blank=True, help_text='Such as {"de": {"name": "Silber", "benefits": "…"}}.'
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_base"], condition=Q(is_base=True), name="members_tier_one_base"
            )
        ]

    def __str__(self) -> str:
        return self.code
