"""Jobs: rows that work through their task in chunks, go on where they stopped, and show how far.

The row is the truth and the queue only a hint: a lost message is queued again, a job that runs
already is left alone, and one that is done stays done.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import uuid_utils.compat
from celery import current_app
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from loyalty.errors import LoyaltyError
from loyalty.models import Job

log = logging.getLogger(__name__)
LOST_AFTER = timedelta(minutes=5)


class Cancelled(Exception):
    """Somebody cancelled the job; it stops between two chunks."""


class NotForUs(Exception):
    """There is nothing to do for this worker: the message came late, or twice."""


class AlreadyRunning(NotForUs):
    """Another worker holds the job."""


class AlreadyOver(NotForUs):
    """The job is done or was cancelled."""


class Running:
    """A job that this worker holds."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.at: datetime = job.started_at or job.created_at

    @property
    def position(self) -> Any:
        """Where to go on: what the last `advance` said, or None at the start."""
        return self.job.position

    def advance(self, *, position: Any, done: int, total: int | None = None) -> None:
        """Note how far the job came; raises Cancelled if somebody cancelled it meanwhile."""
        job = self.job
        job.position, job.done = position, job.done + done
        job.total = total if total is not None else job.total
        job.heartbeat_at = timezone.now()
        kept = Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING).update(
            position=job.position, done=job.done, total=job.total, heartbeat_at=job.heartbeat_at
        )
        if not kept:
            raise Cancelled

    def add(self, **counts: int) -> None:
        """Add to the counts of the job's result; they are kept with the next `advance`."""
        for name, count in counts.items():
            self.job.result[name] = self.job.result.get(name, 0) + count
        Job.objects.filter(pk=self.job.pk).update(result=self.job.result)


def start(
    kind: str, *, at: datetime, key: str | None = None, parameters: dict[str, Any] | None = None
) -> Job:
    """Make a job and queue it on commit. One `key` makes one job: the second call returns it."""
    defaults = {
        "id": uuid_utils.compat.uuid7(),
        "kind": kind,
        "parameters": parameters or {},
        "created_at": at,
    }
    if key is None:
        job, new = Job.objects.create(**defaults), True
    else:
        job, new = Job.objects.get_or_create(key=key, defaults=defaults)
    if new:
        transaction.on_commit(lambda: queue(job))
    return job


def queue(job: Job) -> None:
    """Tell the workers of a job. If the broker is away, the requeueing sweep tells them later."""
    try:
        current_app.send_task(job.kind, kwargs={"job_id": str(job.pk)})
    except OSError as error:
        log.warning("The job %s waits for the broker: %s", job.pk, error)


@contextmanager
def resume(job_id: str) -> Iterator[Running]:
    """Hold a job while it runs, from where it stands; note how it ends.

    An advisory lock of the session keeps a second worker away, and falls with a killed one.

    :raises AlreadyRunning: if another worker holds it.
    :raises AlreadyOver: if it is done, or was cancelled.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [job_id])
        if not cursor.fetchone()[0]:
            raise AlreadyRunning
    try:
        job = Job.objects.get(pk=job_id)
        if job.status in (Job.Status.DONE, Job.Status.CANCELLED):
            raise AlreadyOver
        now = timezone.now()
        job.status, job.started_at = Job.Status.RUNNING, job.started_at or now
        job.heartbeat_at, job.problem = now, None
        job.save(update_fields=["status", "started_at", "heartbeat_at", "problem"])
        yield Running(job)
        _finish(job, Job.Status.DONE)
    except Cancelled:
        pass
    except NotForUs:
        raise
    except Exception as error:
        log.exception("The job %s failed", job_id)
        code = error.code if isinstance(error, LoyaltyError) else "INTERNAL_ERROR"
        Job.objects.filter(pk=job_id).update(
            status=Job.Status.FAILED,
            finished_at=timezone.now(),
            problem={"code": code, "detail": str(error)[:1000]},
        )
        raise
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [job_id])


def _finish(job: Job, status: str) -> None:
    Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING).update(
        status=status,
        finished_at=timezone.now(),
        total=job.done if job.total is None else job.total,
    )


def cancel(job: Job) -> None:
    """Stop a job between two chunks; what it did stays."""
    Job.objects.filter(pk=job.pk, status__in=[Job.Status.PENDING, Job.Status.RUNNING]).update(
        status=Job.Status.CANCELLED, finished_at=timezone.now()
    )


def requeue_lost(*, at: datetime) -> int:
    """Queue again what was never picked up, or whose worker has been silent; return how many."""
    lost = Job.objects.filter(
        Q(status=Job.Status.PENDING, created_at__lt=at - timedelta(minutes=1))
        | Q(status=Job.Status.RUNNING, heartbeat_at__lt=at - LOST_AFTER)
    )
    jobs = list(lost.order_by("created_at")[:100])
    for job in jobs:
        queue(job)
    return len(jobs)
