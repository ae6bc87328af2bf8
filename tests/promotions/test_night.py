"""The night: one job for each local date, whose steps run in order."""

import pytest

from loyalty.models import Job
from promotions.tasks import NIGHT, run_night, start_night

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_night_is_started_once_for_each_local_date(committed_program):
    start_night()
    start_night()

    assert Job.objects.count() == 1


def test_a_night_runs_its_steps_to_the_audit(committed_program):
    start_night()
    job = Job.objects.get()

    run_night(job_id=str(job.pk))

    job.refresh_from_db()
    assert (job.status, job.position["step"]) == ("DONE", "audit")
    assert job.result["broken_invariants"] == 0
    assert [*NIGHT][:3] == ["settle", "expiring", "tiers"]
    assert list(NIGHT)[-1] == "audit"
