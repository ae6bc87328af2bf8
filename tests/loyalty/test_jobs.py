"""Jobs: one worker at a time, on where they stopped, never more than once, and told of."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from celery import current_app
from django.db import Error, connection, transaction

from config.local.run import ROOT
from loyalty.errors import MemberNotFound
from loyalty.models import Job, OutboxEvent
from loyalty.services import jobs

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KIND = "tests.count"


def count(job, *, to, step=2, total=None, then=lambda: None):
    """Count from where the job stands: a task in chunks."""
    while (at := job.position or 0) < to:
        job.add(counted=step)
        job.advance(position=at + step, done=step, total=total)
    then()


def test_a_job_shows_how_far_it_came_and_what_came_of_it(transactional_db):
    job = jobs.start(KIND, at=AT)

    with jobs.resume(str(job.pk)) as running:
        count(running, to=4, total=10)
        seen = Job.objects.get()
        count(running, to=10)

    assert (seen.status, seen.done, seen.total, seen.position) == ("RUNNING", 4, 10, 4)
    assert seen.result == {"counted": 4}
    job.refresh_from_db()
    assert (job.status, job.done, job.total, job.result) == ("DONE", 10, 10, {"counted": 10})
    assert job.finished_at >= job.started_at


def test_one_key_makes_one_job(db):
    first = jobs.start(KIND, at=AT, key="night:2026-11-23", parameters={"a": 1})
    second = jobs.start(KIND, at=AT + timedelta(hours=1), key="night:2026-11-23")

    assert second.pk == first.pk
    assert (second.parameters, second.created_at) == ({"a": 1}, AT)


def test_two_that_start_one_key_at_once_get_the_same_job(transactional_db):
    together = threading.Barrier(8)
    made = []

    def start():
        together.wait()
        made.append(jobs.start(KIND, at=AT, key="night:2026-11-23").pk)
        connection.close()

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 8
    assert len(set(made)) == 1


def test_a_job_is_queued_with_the_commit_and_not_before(
    db, django_capture_on_commit_callbacks, monkeypatch
):
    queued = []
    monkeypatch.setattr(jobs, "queue", lambda job: queued.append(job.pk))

    with django_capture_on_commit_callbacks(execute=True):
        job = jobs.start(KIND, at=AT)
        before = list(queued)

    assert (before, queued) == ([], [job.pk])


@pytest.fixture
def no_broker(monkeypatch):
    """Point the queue at a port where nobody listens."""
    app = current_app._get_current_object()
    connect = app.connection_for_write
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"redis://127.0.0.1:{nobody.getsockname()[1]}/0"
        monkeypatch.setattr(app, "connection_for_write", lambda: connect(address))
        yield


def test_a_broker_that_is_away_refuses_nobody_and_keeps_nobody_waiting(db, no_broker, caplog):
    job = jobs.start(KIND, at=AT)
    began = time.monotonic()

    told = jobs.queue(job)

    assert told is False
    assert time.monotonic() - began < 2
    assert "waits for the broker" in caplog.text
    assert Job.objects.get().status == "PENDING"


def test_the_sweep_asks_a_broker_that_is_away_once_and_tells_it_of_all_later(
    db, no_broker, caplog, monkeypatch
):
    for _ in range(3):
        jobs.start(KIND, at=AT)
    later = AT + timedelta(minutes=2)

    away = jobs.requeue_lost(at=later)
    monkeypatch.setattr(jobs, "queue", lambda job: True)

    assert away == 0
    assert caplog.text.count("waits for the broker") == 1
    assert jobs.requeue_lost(at=later) == 3


def test_twenty_workers_run_a_job_once(transactional_db):
    job = jobs.start(KIND, at=AT)
    together, leave = threading.Barrier(20), threading.Event()
    outcomes = []

    def work():
        together.wait()
        try:
            with jobs.resume(str(job.pk)) as running:
                leave.wait(10)
                count(running, to=6)
            outcomes.append("ran")
        except jobs.NotForUs as refusal:
            outcomes.append(type(refusal).__name__)
            if len(outcomes) == 19:
                leave.set()
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["AlreadyRunning"] * 19 + ["ran"]
    assert Job.objects.get().done == 6


def test_without_the_lock_a_second_worker_would_take_it(transactional_db):
    """Prove that the test above needs the lock."""
    job = jobs.start(KIND, at=AT)

    assert jobs._take(str(job.pk)).status == "RUNNING"
    assert jobs._take(str(job.pk)).status == "RUNNING"


KILLED = """
import os, signal, sys, django
django.setup()
from django.db import connections
connections["default"].settings_dict["NAME"] = sys.argv[2]
from loyalty.services import jobs
with jobs.resume(sys.argv[1]) as job:
    for at in (2, 4):
        job.add(counted=2)
        job.advance(position=at, done=2)
    job.add(counted=2)  # Counted, and killed before it was noted.
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_worker_frees_the_job_which_goes_on_where_it_stopped(transactional_db):
    job = jobs.start(KIND, at=AT)
    command = [sys.executable, "-c", KILLED, str(job.pk), connection.settings_dict["NAME"]]
    killed = subprocess.run(command, cwd=ROOT, env=os.environ, check=False)
    left = Job.objects.get()

    with jobs.resume(str(job.pk)) as running:
        position = running.position
        count(running, to=10)

    assert killed.returncode == -signal.SIGKILL
    assert (left.status, left.done, left.result) == ("RUNNING", 4, {"counted": 4})
    assert position == 4
    job.refresh_from_db()
    assert (job.status, job.done, job.result) == ("DONE", 10, {"counted": 10})


def test_a_cancelled_job_stops_after_its_chunk_and_stays_cancelled(transactional_db):
    job = jobs.start(KIND, at=AT)

    with jobs.resume(str(job.pk)) as running:
        running.advance(position=2, done=2)
        jobs.cancel(job)
        count(running, to=10)

    with pytest.raises(jobs.AlreadyOver), jobs.resume(str(job.pk)):
        pass
    job.refresh_from_db()
    assert (job.status, job.done, job.position) == ("CANCELLED", 2, 2)


def test_a_job_that_is_over_cannot_be_cancelled(transactional_db):
    job = jobs.start(KIND, at=AT)
    with jobs.resume(str(job.pk)):
        pass

    jobs.cancel(job)

    assert Job.objects.get().status == "DONE"


def test_a_refusal_is_told_in_its_words(transactional_db):
    job = jobs.start(KIND, at=AT)

    with pytest.raises(MemberNotFound), jobs.resume(str(job.pk)):
        raise MemberNotFound

    job.refresh_from_db()
    assert job.status == "FAILED"
    assert job.problem == {
        "title": "Member not found",
        "status": 404,
        "code": "MEMBER_NOT_FOUND",
        "detail": "No member is named so.",
    }


def test_a_fault_is_logged_and_does_not_show_its_inside(transactional_db, caplog):
    job = jobs.start(KIND, at=AT)

    with pytest.raises(ZeroDivisionError), jobs.resume(str(job.pk)):
        _ = 1 // 0

    job.refresh_from_db()
    assert job.problem["code"] == "INTERNAL_ERROR"
    assert "division" not in str(job.problem)
    assert "ZeroDivisionError" in caplog.text


def test_a_failed_job_waits_for_its_restart_and_goes_on_from_there(transactional_db):
    job = jobs.start(KIND, at=AT)
    with pytest.raises(ZeroDivisionError), jobs.resume(str(job.pk)) as running:
        count(running, to=4, then=lambda: 1 // 0)

    with pytest.raises(jobs.AlreadyOver), jobs.resume(str(job.pk)):
        pass  # The message came twice.
    restarted = jobs.restart(job)
    with jobs.resume(str(job.pk)) as running:
        position = running.position

    assert (restarted, position) == (True, 4)
    job.refresh_from_db()
    assert (job.status, job.problem) == ("DONE", None)
    assert jobs.restart(job) is False


@pytest.mark.parametrize(
    ("_case", "status", "created", "heartbeat", "lost"),
    [
        ("never told", "PENDING", timedelta(minutes=2), None, True),
        ("only just made", "PENDING", timedelta(seconds=30), None, False),
        ("silent", "RUNNING", timedelta(hours=1), timedelta(minutes=6), True),
        ("at work", "RUNNING", timedelta(hours=1), timedelta(minutes=4), False),
        ("waits in the queue", "PENDING", timedelta(hours=1), timedelta(minutes=4), False),
        ("queued and lost again", "PENDING", timedelta(hours=1), timedelta(minutes=6), True),
        ("over", "FAILED", timedelta(hours=1), timedelta(minutes=6), False),
    ],
)
def test_what_a_crash_forgot_is_queued_again(
    _case, status, created, heartbeat, lost, db, monkeypatch
):
    queued = []
    monkeypatch.setattr(jobs, "queue", lambda job: not queued.append(job.pk))
    job = jobs.start(KIND, at=AT - created)
    Job.objects.update(status=status, heartbeat_at=heartbeat and AT - heartbeat)

    found = jobs.requeue_lost(at=AT)

    assert found == lost
    assert queued == ([job.pk] if lost else [])


def test_a_job_that_waits_for_a_busy_worker_is_not_queued_every_minute(db, monkeypatch):
    monkeypatch.setattr(jobs, "queue", lambda job: True)
    jobs.start(KIND, at=AT)

    minutes = [AT + timedelta(minutes=n, seconds=1) for n in range(12)]

    assert [jobs.requeue_lost(at=at) for at in minutes] == [0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]


def test_who_started_it_by_the_api_is_told_that_it_is_finished(transactional_db):
    silent = jobs.start(KIND, at=AT)
    told = jobs.start(KIND, at=AT, scope="segments:write", partner_id=7, dry_run=True)
    for job in (silent, told):
        with jobs.resume(str(job.pk)):
            pass

    event = OutboxEvent.objects.get()
    assert (event.type, event.object_id, event.partner_id) == ("job.finished", told.pk, 7)
    assert Job.objects.get(pk=told.pk).dry_run is True


def test_a_chunk_of_its_own_transaction_keeps_the_lock(transactional_db):
    job = jobs.start(KIND, at=AT)
    with jobs.resume(str(job.pk)) as running:
        with transaction.atomic():
            running.advance(position=1, done=1)
        other = connection.copy()
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [str(job.pk)])
            free = cursor.fetchone()[0]
        other.close()

    assert free is False


def test_a_worker_that_loses_its_database_leaves_the_job_to_the_sweep(transactional_db):
    job = jobs.start(KIND, at=AT)
    failures = []

    def work():
        try:
            with jobs.resume(str(job.pk)) as running:
                running.advance(position=2, done=2)
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        except Error as error:
            failures.append(error)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    left = Job.objects.get()
    with jobs.resume(str(job.pk)) as running:
        position = running.position

    assert len(failures) == 1
    assert (left.status, left.problem) == ("RUNNING", None)
    assert position == 2
    assert Job.objects.get().status == "DONE"
