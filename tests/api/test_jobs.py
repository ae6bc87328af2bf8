"""Jobs at the API: read, cancelled and restarted by who may."""

from datetime import UTC, datetime

import pytest

from loyalty.models import Job
from loyalty.services import job_errors, jobs
from loyalty.services.job_errors import Rejected


@pytest.fixture
def job(program):
    started = jobs.start("x.y", at=datetime.now(UTC), total=10)
    Job.objects.filter(pk=started.pk).update(scope="segments:write")
    return started


def test_a_job_is_read_with_the_scope_that_started_it(house, api_of, till, job):
    url = f"/jobs/{job.pk}/"

    assert house.get(url).json()["status"] == "PENDING"
    assert api_of(None, scopes=["program:read"]).get(url).status_code == 404
    assert till.get(url).status_code == 404


def test_a_job_is_cancelled(house, job):
    answer = house.post(f"/jobs/{job.pk}/cancel/", {})

    assert (answer.status_code, answer.json()["status"]) == (200, "CANCELLED")


def test_a_failed_job_is_restarted(house, job):
    Job.objects.update(status="FAILED")

    assert house.post(f"/jobs/{job.pk}/restart/", {}).json()["status"] == "PENDING"


def test_the_timetables_jobs_are_not_the_apis_to_stop(house, job):
    Job.objects.update(scope="")

    assert house.post(f"/jobs/{job.pk}/cancel/", {}).status_code == 404
    assert Job.objects.get().status == "PENDING"


def test_the_lines_that_came_to_nothing_are_a_csv_file(house, till, job):
    job_errors.keep(job.pk, [Rejected(3, "=1+1", "UNKNOWN_MEMBER", "Nobody, or gone")])
    url = house.get(f"/jobs/{job.pk}/").json()["errors"].removeprefix("/api/v1")

    answer = house.get(url)

    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == f'attachment; filename="job-{job.pk}-errors.csv"'
    assert b"".join(answer) == (
        b'line,value,code,reason\r\n3,\'=1+1,UNKNOWN_MEMBER,"Nobody, or gone"\r\n'
    )
    assert till.get(url).status_code == 404


def test_a_job_without_errors_has_an_empty_list(house, job):
    assert b"".join(house.get(f"/jobs/{job.pk}/errors/")) == b"line,value,code,reason\r\n"
