"""The sweep: set-based, in chunks, safe to kill and to repeat."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from ledger.models import Account, Book, Transaction
from ledger.services import settlement
from ledger.tasks import run_sweep, settle_due
from loyalty.models import Job
from loyalty.services import jobs
from tests.factories.ledger import give
from tests.factories.members import MemberFactory

THEN = datetime(2026, 3, 1, tzinfo=UTC)
LATER = THEN + timedelta(days=40)


def sweep(at_most):
    after, moved = 0, []
    while (chunk := settlement.settle_chunk(after=after, at=LATER, at_most=at_most)).last:
        after = chunk.last
        moved.append((chunk.members, chunk.released, chunk.expired))
    return moved


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("at_most", [3, 100])
def test_a_sweep_releases_and_expires_what_is_due(at_most, committed_program):
    members = [MemberFactory() for _ in range(10)]
    for member in members:
        give(member, 100, at=THEN, lives=timedelta(days=10))
        give(member, 50, at=THEN, pending=timedelta(days=5), lives=timedelta(days=90))

    moved = sweep(at_most)

    assert sum(count for count, _, _ in moved) == 10
    assert sum(released for _, released, _ in moved) == 500
    assert sum(expired for _, _, expired in moved) == 1000
    kinds = Transaction.objects.filter(member=members[0]).order_by("version")
    assert list(kinds.values_list("kind", "occurred_at")) == [
        ("EARN", THEN),
        ("EARN", THEN),
        ("RELEASE", THEN + timedelta(days=5)),
        ("EXPIRY", THEN + timedelta(days=10)),
    ]
    assert set(Account.objects.values_list("available", "pending", "expired")) == {(50, 0, 100)}
    assert set(Book.objects.values_list("due_at", flat=True)) == {THEN + timedelta(days=90)}


@pytest.mark.django_db(transaction=True)
def test_a_second_sweep_does_nothing(committed_program):
    give(MemberFactory(), 100, at=THEN, lives=timedelta(days=10))
    sweep(100)

    assert sweep(100) == []
    assert Transaction.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_points_released_past_their_date_expire_at_once(committed_program):
    member = MemberFactory()
    give(member, 7, at=THEN, pending=timedelta(days=20), lives=timedelta(days=15))

    sweep(100)

    rows = Transaction.objects.filter(member=member).order_by("version")
    assert list(rows.values_list("kind", "occurred_at"))[1:] == [
        ("RELEASE", THEN + timedelta(days=20)),
        ("EXPIRY", THEN + timedelta(days=20)),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_job_that_was_killed_goes_on_where_it_stopped(committed_program, monkeypatch):
    for _ in range(9):
        give(MemberFactory(), 100, at=THEN, lives=timedelta(days=10))
    job = jobs.start(settle_due.name, at=LATER)
    monkeypatch.setattr(settlement, "CHUNK", 4)
    chunks = []
    whole = settlement.settle_chunk

    def dies_after_the_first(*, after, at):
        if chunks:
            raise KeyboardInterrupt
        chunks.append(after)
        return whole(after=after, at=at, at_most=4)

    monkeypatch.setattr(settlement, "settle_chunk", dies_after_the_first)
    with pytest.raises(KeyboardInterrupt):
        settle_due(job_id=str(job.pk))
    assert Transaction.objects.filter(kind="EXPIRY").count() == 4
    monkeypatch.setattr(settlement, "settle_chunk", whole)

    settle_due(job_id=str(job.pk))
    settle_due(job_id=str(job.pk))

    job.refresh_from_db()
    assert (job.status, job.done, job.result["expired"]) == (Job.Status.DONE, 9, 900)
    assert Transaction.objects.filter(kind="EXPIRY").count() == 9


@pytest.mark.django_db(transaction=True)
def test_two_workers_do_not_run_one_job(committed_program):
    job = jobs.start(settle_due.name, at=LATER)
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [str(job.pk)])

    with pytest.raises(jobs.AlreadyRunning), jobs.resume(str(job.pk)) as held:
        run_sweep(held)

    other.close()
    job.refresh_from_db()
    assert job.status == Job.Status.PENDING
