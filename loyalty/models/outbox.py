"""What is to be announced."""

from django.db import models


class OutboxEvent(models.Model):
    """Something that happened, committed with what caused it, to be told to subscribers.

    The body is made when it is delivered, from the object that `object_id` names.
    """

    id = models.BigAutoField(primary_key=True)
    type = models.CharField(max_length=64)
    member_id = models.BigIntegerField(null=True)
    version = models.BigIntegerField(null=True)
    partner_id = models.BigIntegerField(null=True)
    object_id = models.UUIDField(null=True)
    created_at = models.DateTimeField()
    payload = models.JSONField(null=True)

    def __str__(self) -> str:
        return f"{self.type} {self.object_id}"
