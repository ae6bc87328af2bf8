"""Jobs: rows that work through their task in chunks, go on where they stopped, and show how far.

The row is the truth and the queue only a hint: a lost message is queued again, a job that runs
already is left alone, and one that is over stays over until somebody restarts it.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

import uuid_utils.compat
from celery import current_app
from django.db import Error, connection, transaction
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerAway

from loyalty.errors import InternalError, LoyaltyError
from loyalty.models import Job
from loyalty.services import job_errors, outbox
from loyalty.services.job_errors import Rejected

log = logging.getLogger(__name__)
LOST_AFTER = timedelta(minutes=5)
PICKED_UP_WITHIN = timedelta(minutes=1)
REQUEUED_AT_ONCE = 100
# A caller waits while its job is queued; by default, a broker that is away costs it 6 s.
GIVE_UP_SOON = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
UNFINISHED = (Job.Status.PENDING, Job.Status.RUNNING)


class Cancelled(Exception):
    """Somebody cancelled the job; it stops between two chunks."""


class NotForUs(Exception):
    """There is nothing to do for this worker: the message came late, or twice."""


class AlreadyRunning(NotForUs):
    """Another worker holds the job."""


class AlreadyOver(NotForUs):
    """The job is done, has failed, or was cancelled."""


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
        """Note how far the job came, and the counts so far, in one statement.

        :raises Cancelled: if somebody cancelled it meanwhile.
        """
        job = self.job
        job.position, job.done = position, job.done + done
        job.total = total if total is not None else job.total
        job.heartbeat_at = timezone.now()
        kept = Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING).update(
            position=job.position,
            done=job.done,
            total=job.total,
            result=job.result,
            heartbeat_at=job.heartbeat_at,
        )
        if not kept:
            raise Cancelled

    def add(self, **counts: int) -> None:
        """Add to the counts of the job's result.

        They are stored with the position, by the next `advance` or the end: a chunk that is
        worked through again after a crash is not counted twice.
        """
        for name, count in counts.items():
            self.job.result[name] = self.job.result.get(name, 0) + count

    def reject(self, lines: Sequence[Rejected]) -> None:
        """Keep lines of the input that came to nothing, up to a bound; see `job_errors.keep`.

        A chunk that is worked through again after a crash keeps none of them twice. They are not
        counted here: `add` is noted with the position, and these may be committed before it.
        """
        job_errors.keep(self.job.pk, lines)


class StepOf(Running):
    """One step of a job that has several: its position is its own, all else is the job's."""

    def __init__(self, running: Running, name: str, position: Any) -> None:
        super().__init__(running.job)
        self.name = name
        self._position = position

    @property
    def position(self) -> Any:
        """Where the step goes on."""
        return self._position

    def advance(self, *, position: Any, done: int, total: int | None = None) -> None:
        """Note how far the step came, as `Running.advance` does.

        :raises Cancelled: if somebody cancelled the job meanwhile.
        """
        self._position = position
        whole = {"step": self.name, "position": position}
        super().advance(position=whole, done=done, total=total)


Step = Callable[[Running], None]


def run_steps(running: Running, steps: Mapping[str, Step]) -> None:
    """Run the steps of a job in order, from the one where it stands.

    A step that was added since is run if it comes after that one.

    :raises Cancelled: if somebody cancelled the job.
    """
    names = list(steps)
    here = running.position or {"step": names[0], "position": None}
    for name in names[names.index(here["step"]) :]:
        position = here["position"] if name == here["step"] else None
        step = StepOf(running, name, position)
        step.advance(position=position, done=0)
        steps[name](step)


def start(
    kind: str,
    *,
    at: datetime,
    key: str | None = None,
    parameters: dict[str, Any] | None = None,
    total: int | None = None,
    dry_run: bool = False,
    scope: str = "",
    partner_id: int | None = None,
    queued: bool = True,
) -> Job:
    """Make a job and queue it on commit. One `key` makes one job: the second call returns it.

    `kind` is the name of its Celery task. `scope` and `partner_id` say who may read it, where an
    API call started it. One that is not `queued` is run by the process that starts it; if that
    dies, the sweep queues it all the same.
    """
    defaults = {
        "id": uuid_utils.compat.uuid7(),
        "kind": kind,
        "parameters": parameters or {},
        "total": total,
        "dry_run": dry_run,
        "scope": scope,
        "partner_id": partner_id,
        "created_at": at,
    }
    if key is None:
        job, new = Job.objects.create(**defaults), True
    else:
        job, new = Job.objects.get_or_create(key=key, defaults=defaults)
    if new and queued:
        transaction.on_commit(lambda: queue(job))
    return job


def queue(job: Job) -> bool:
    """Tell the workers of a job; return False if the broker is away: the sweep tells them later."""
    return tell(job.kind, job_id=str(job.pk))


def tell(task: str, **arguments: str) -> bool:
    """Tell the workers of a task by its name, on commit; return False if the broker is away.

    For work that has a row of its own, which a sweep finds when the word is lost.
    """
    try:
        with current_app.connection_for_write() as broker:
            broker.transport_options = {**(broker.transport_options or {}), **GIVE_UP_SOON}
            current_app.send_task(task, kwargs=arguments, connection=broker, retry=False)
    except (BrokerAway, OSError) as error:
        log.warning("%s waits for the broker: %s", task, error)
        return False
    return True


@contextmanager
def resume(job_id: str) -> Iterator[Running]:
    """Hold a job while it runs, from where it stands; note how it ends.

    An advisory lock of the session keeps a second worker away, and falls with a killed one. It
    outlives the transactions of the chunks, which a row lock would not.

    :raises AlreadyRunning: if another worker holds it.
    :raises AlreadyOver: if it is done, has failed, or was cancelled.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [job_id])
        if not cursor.fetchone()[0]:
            raise AlreadyRunning
    try:
        job = _take(job_id)
        try:
            yield Running(job)
        except Cancelled:
            log.info("The job %s was cancelled", job_id)
        except Exception as error:
            log.exception("The job %s failed", job_id)
            _end(job, Job.Status.FAILED, problem=_problem(error))
            raise
        else:
            total = job.done if job.total is None else job.total
            _end(job, Job.Status.DONE, total=total, result=job.result)
    finally:
        _release(job_id)


def _take(job_id: str) -> Job:
    now = timezone.now()
    job = Job.objects.get(pk=job_id)
    job.status, job.started_at = Job.Status.RUNNING, job.started_at or now
    job.heartbeat_at, job.problem = now, None
    taken = Job.objects.filter(pk=job_id, status__in=UNFINISHED).update(
        status=job.status, started_at=job.started_at, heartbeat_at=now, problem=None
    )
    if not taken:
        raise AlreadyOver
    return job


def _release(job_id: str) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [job_id])
    except Error as error:  # The lock fell with the connection; do not hide why that broke.
        log.warning("The lock of the job %s was lost: %s", job_id, error)


def _problem(error: Exception) -> dict[str, Any]:
    """Return what the API shows: a refusal in its words, a fault of ours without its inside."""
    refusal = error if isinstance(error, LoyaltyError) else InternalError()
    detail = refusal.detail
    if isinstance(refusal, InternalError):
        detail = "The fault is ours and was logged under the job's id."
    return {
        "title": refusal.title,
        "status": refusal.status,
        "code": refusal.code,
        "detail": detail,
        **refusal.extra,
    }


def _end(job: Job, status: str, **fields: Any) -> None:
    """Note the end of a job that has not ended otherwise, and tell who started it by the API."""
    now = timezone.now()
    with transaction.atomic():
        ended = Job.objects.filter(pk=job.pk, status__in=UNFINISHED).update(
            status=status, finished_at=now, **fields
        )
        if ended and job.scope:
            outbox.record("job.finished", object_id=job.pk, at=now, partner_id=job.partner_id)


def cancel(job: Job) -> None:
    """Stop a job between two chunks; what it did stays."""
    _end(job, Job.Status.CANCELLED)


def restart(job: Job) -> bool:
    """Let a failed or cancelled job go on from where it stands; return whether it was one."""
    with transaction.atomic():
        again = Job.objects.filter(
            pk=job.pk, status__in=[Job.Status.FAILED, Job.Status.CANCELLED]
        ).update(status=Job.Status.PENDING, finished_at=None, problem=None, heartbeat_at=None)
        if again:
            transaction.on_commit(lambda: queue(job))
    return bool(again)


def requeue_lost(*, at: datetime) -> int:
    """Queue again what was never picked up, or whose worker has been silent; return how many.

    Queueing counts as a sign of life, so that a job which waits for a busy worker is not queued
    every minute.
    """
    silent = Q(status__in=UNFINISHED, heartbeat_at__lt=at - LOST_AFTER)
    never_told = Q(
        status=Job.Status.PENDING, heartbeat_at=None, created_at__lt=at - PICKED_UP_WITHIN
    )
    lost = Job.objects.filter(silent | never_told).order_by("created_at")[:REQUEUED_AT_ONCE]
    told = [job.pk for job in takewhile(queue, lost)]  # No use asking a broker that is away again.
    Job.objects.filter(pk__in=told, status__in=UNFINISHED).update(heartbeat_at=at)
    return len(told)
