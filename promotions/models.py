"""Promotions, their immutable versions, and the evaluations that posted points."""

from django.db import models

from loyalty.models import CODE


class Promotion(models.Model):
    """A named way to earn. What it does is held by its versions."""

    class Status(models.TextChoices):
        DRAFT = "DRAFT", "Draft"
        LIVE = "LIVE", "Live"
        PAUSED = "PAUSED", "Paused"
        ENDED = "ENDED", "Ended"

    code = models.CharField(max_length=64, unique=True, validators=[CODE])
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)

    def __str__(self) -> str:
        return self.code


class PromotionStatus(models.Model):
    """Since when a promotion had a status, and why: a sale sees the one of its own time."""

    promotion = models.ForeignKey(Promotion, on_delete=models.CASCADE, related_name="statuses")
    status = models.CharField(max_length=10, choices=Promotion.Status.choices)
    since = models.DateTimeField()
    reason = models.CharField(max_length=4000, blank=True)

    class Meta:
        verbose_name_plural = "promotion statuses"
        indexes = [models.Index(fields=["promotion", "since"], name="promotionstatus_since")]

    def __str__(self) -> str:
        return f"{self.promotion_id} {self.status} since {self.since}"


class PromotionVersion(models.Model):
    """What a promotion does from an instant on. Never changed: an edit makes the next version.

    Lots carry its id as a plain number, so that every point leads to the rule that gave it.
    """

    promotion = models.ForeignKey(Promotion, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    digest = models.BinaryField(max_length=32)
    effective_from = models.DateTimeField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["promotion", "number"], name="promotions_version_number"
            )
        ]

    def __str__(self) -> str:
        return f"{self.promotion} v{self.number}"


class Evaluation(models.Model):
    """Why a transaction gave what it gave: the facts it saw, and the awards by line."""

    transaction_id = models.UUIDField(primary_key=True)
    member_id = models.BigIntegerField()
    inputs = models.JSONField(null=True, help_text="Emptied by retention or erasure.")
    result = models.JSONField()
    engine_version = models.PositiveSmallIntegerField()

    def __str__(self) -> str:
        return f"evaluation of {self.transaction_id}"
