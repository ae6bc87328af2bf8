"""Long work, what of its input came to nothing, and the files that it works through."""

from django.db import models
from django.db.models import Q


class Job(models.Model):
    """Work that takes longer than a moment. The row is the truth, the queue only a hint."""

    class Status(models.TextChoices):
        PENDING = "PENDING"
        RUNNING = "RUNNING"
        DONE = "DONE"
        FAILED = "FAILED"
        CANCELLED = "CANCELLED"

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=100, help_text="The name of its Celery task.")
    key = models.CharField(max_length=100, null=True, unique=True)  # noqa: DJ001 null: any number
    parameters = models.JSONField(default=dict)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    position = models.JSONField(null=True, help_text="Where it goes on after a crash.")
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True)
    dry_run = models.BooleanField(default=False)
    result = models.JSONField(default=dict)
    problem = models.JSONField(null=True)
    scope = models.CharField(max_length=64, blank=True)
    partner_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(status__in=["PENDING", "RUNNING"]),
                name="job_unfinished",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.status}"


class JobError(models.Model):
    """A line of a job's input that came to nothing, and why. Found again, it is not kept twice."""

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="+", db_index=False)
    line = models.BigIntegerField(help_text="Counted from 1.")
    value = models.CharField(max_length=200, blank=True)
    code = models.CharField(max_length=64)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "line", "code"], name="loyalty_joberror_line")
        ]

    def __str__(self) -> str:
        return f"{self.line}: {self.code}"


class Upload(models.Model):
    """A file that was sent to be worked through by a job, kept under a random name for a while."""

    id = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=200, help_text="As its sender calls it; never a path.")
    size = models.BigIntegerField()
    created_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.name
