"""What is kept of calls: changes that are not made twice, and guesses that are counted."""

from django.db import models


class IdempotencyKey(models.Model):
    """A change that a client made under a key of its own, with the answer it was given."""

    client_id = models.CharField(max_length=200)
    route = models.CharField(max_length=200)
    key = models.CharField(max_length=200)
    digest = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.BinaryField(null=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["client_id", "route", "key"], name="loyalty_idempotencykey_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"


class Attempt(models.Model):
    """How often guessing at something failed lately; `subject` is a keyed hash of what."""

    kind = models.CharField(max_length=20)
    subject = models.BinaryField(max_length=32)
    failures = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField()
    locked_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "subject"], name="loyalty_attempt_subject")
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.failures}"
