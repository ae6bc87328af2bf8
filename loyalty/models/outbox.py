"""What is to be announced."""

from django.db import models


class CurrentTransaction(models.Func):
    """The id of the database transaction that is running."""

    template = "(pg_current_xact_id()::text::bigint)"
    output_field = models.BigIntegerField()


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
    # The database transaction that wrote it: ids are not in the order of commits, but what is
    # before every open transaction is complete.
    transaction_id = models.BigIntegerField(db_default=CurrentTransaction(), db_index=True)

    def __str__(self) -> str:
        return f"{self.type} {self.object_id}"
