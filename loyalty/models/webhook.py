"""Who is told of what happens, and what became of each telling."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from loyalty.models.codes import CODE
from loyalty.models.outbox import OutboxEvent


class WebhookSubscription(models.Model):
    """Where a partner, or the house, wants to be told of which events.

    `seen_transaction` and `seen_event` are how far deliveries were made out of the outbox.
    """

    code = models.CharField(max_length=64, validators=[CODE])
    partner_id = models.BigIntegerField(help_text="Whom it belongs to.")
    house = models.BooleanField(default=False, help_text="It is told of all partners' events.")
    url = models.CharField(max_length=500)
    events = ArrayField(models.CharField(max_length=64))
    active = models.BooleanField(default=True)
    secret = models.BinaryField(max_length=500, editable=False)
    second_secret = models.BinaryField(max_length=500, null=True, editable=False)
    second_secret_until = models.DateTimeField(null=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    seen_transaction = models.BigIntegerField(default=0, editable=False)
    seen_event = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["partner_id", "code"], name="loyalty_webhooksubscription_code"
            )
        ]

    def __str__(self) -> str:
        return self.code


class WebhookDelivery(models.Model):
    """One event for one subscription, and what became of it. One subject's go out in order."""

    class Status(models.TextChoices):
        PENDING = "PENDING", "Pending"
        DELIVERED = "DELIVERED", "Delivered"
        DEAD = "DEAD", "Given up"
        SKIPPED = "SKIPPED", "Not for this receiver"

    id = models.UUIDField(primary_key=True, help_text="The `webhook-id`, the same at each try.")
    subscription = models.ForeignKey(
        WebhookSubscription, on_delete=models.CASCADE, related_name="deliveries"
    )
    event = models.ForeignKey(
        OutboxEvent, on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    subject = models.BigIntegerField(help_text="The member it is about; 0 for none.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField()
    last_status = models.PositiveSmallIntegerField(null=True)
    last_error = models.CharField(max_length=500, blank=True)
    delivered_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "event"], name="loyalty_webhookdelivery_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["subscription", "subject", "event"],
                condition=Q(status="PENDING"),
                name="webhookdelivery_pending",
            ),
            models.Index(fields=["subscription", "-id"], name="webhookdelivery_log"),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} to {self.subscription_id}"
