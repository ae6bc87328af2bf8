"""What of a job's input came to nothing: kept once, up to a bound, and safe to open."""

from datetime import UTC, datetime, timedelta

import pytest

from loyalty.models import Job, JobError
from loyalty.services import job_errors, jobs
from loyalty.services.job_errors import Rejected

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def job(db):
    return jobs.start("x.y", at=AT)


def told(job):
    return b"".join(job_errors.as_csv_of(job.pk)).decode().splitlines()


def test_a_chunk_that_runs_twice_keeps_its_lines_once(transactional_db):
    job = jobs.start("x.y", at=AT)
    lines = [Rejected(2, "9", "UNKNOWN", "Nobody."), Rejected(1, "x", "MALFORMED", "No number.")]

    with jobs.resume(str(job.pk)) as running:
        running.reject(lines)
        running.reject(lines)

    assert told(job) == [
        "line,value,code,reason",
        "1,x,MALFORMED,No number.",
        "2,9,UNKNOWN,Nobody.",
    ]


def test_no_more_than_a_bound_is_kept(job, monkeypatch):
    monkeypatch.setattr(job_errors, "KEPT_AT_MOST", 3)
    for line in (1, 3):
        job_errors.keep(job.pk, [Rejected(line, "", "X"), Rejected(line + 1, "", "X")])

    assert [line.partition(",")[0] for line in told(job)[1:]] == ["1", "2", "3"]


def test_a_value_is_cut_and_holds_no_nul(job):
    job_errors.keep(job.pk, [Rejected(1, "a\0b" + "c" * 500, "X", "d" * 500)])

    kept = JobError.objects.get()
    assert (kept.value[:4], len(kept.value), len(kept.reason)) == ("a�bc", 200, 200)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_spreadsheet_does_not_run_a_cell(start, job):
    job_errors.keep(job.pk, [Rejected(1, f"{start}cmd", "X")])

    [_, value] = b"".join(job_errors.as_csv_of(job.pk)).decode().split("\r\n", 2)[:2]
    assert value.split(",", 1)[1].lstrip('"').startswith(f"'{start}cmd")


def test_long_lists_are_told_whole_and_in_order(job, monkeypatch):
    monkeypatch.setattr(job_errors, "READ_AT_ONCE", 7)
    job_errors.keep(job.pk, [Rejected(n, "", code) for n in range(1, 20) for code in "BA"])

    rows = [tuple(line.split(",")[0:3:2]) for line in told(job)[1:]]
    assert rows == [(str(n), code) for n in range(1, 20) for code in "AB"]


def test_they_are_forgotten_three_months_after_the_job(job):
    job_errors.keep(job.pk, [Rejected(1, "ann@example.org", "UNKNOWN")])
    Job.objects.update(finished_at=AT)

    assert job_errors.forget_old(at=AT + timedelta(days=90)) == 0
    assert job_errors.forget_old(at=AT + timedelta(days=91)) == 1
