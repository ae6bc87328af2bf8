"""Many members moved to a stage: a job."""

import pytest

from ledger.models import Account
from ledger.tasks import change_stages
from loyalty.models import Job, OutboxEvent
from members.models import Activity, Member
from tests.api.stage.calls import ask, stage_of
from tests.factories.ledger import give
from tests.factories.members import MemberFactory

pytestmark = pytest.mark.usefixtures("member")


@pytest.mark.parametrize(("members", "most"), [(1, 15), (50, 15)])
def test_statements_do_not_grow_with_the_members(members, most, house, statements, program):
    for _ in range(members):
        MemberFactory(stage="SUSPENDED")
    ask(house, "DISABLED", criteria={"stages": ["EXPIRED"]})  # The process knows the programme.
    statements.sent.clear()

    ask(house, "DISABLED", criteria={"stages": ["SUSPENDED"]})

    assert len(statements.sent) <= most, statements.sent


def test_a_chunk_walks_the_primary_key(program, now):
    from django.db import connection

    from ledger.queries import stages as finding

    criteria = finding.Criteria(stages=("ACTIVE",), inactive_since=now)
    text, values = finding._where(criteria, "EXPIRED")
    with connection.cursor() as cursor:
        # Whatever tests before this one let the server count: as if nothing had been counted.
        cursor.execute(
            "UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE relname = ANY (%s)",
            [["members_member", "ledger_transaction", "ledger_book"]],
        )
        for way in ("seqscan", "sort", "bitmapscan"):  # The tables are empty: ask what it can do.
            cursor.execute(f"SET LOCAL enable_{way} = off")
        cursor.execute(
            "EXPLAIN SELECT m.id" + text + " AND m.id > 5 ORDER BY m.id LIMIT 1000", values
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "members_member_pkey" in plan
    assert "ledger_transaction_version" in plan
    assert "Sort" not in plan


@pytest.fixture
def many(program):
    return [MemberFactory(stage="SUSPENDED") for _ in range(105)]


def run(job_id):
    change_stages(job_id=str(job_id))
    return Job.objects.get(pk=job_id)


def test_more_than_a_hundred_are_a_job(house, many):
    answer = ask(house, "DISABLED", criteria={"stages": ["SUSPENDED"]})

    assert answer.status_code == 202
    body = answer.json()
    assert answer.headers["Location"] == f"/api/v1/jobs/{body['id']}/"
    assert (body["status"], body["total"]) == ("PENDING", 105)
    assert {stage_of(each) for each in many} == {"SUSPENDED"}

    job = run(body["id"])

    assert (job.status, job.done) == ("DONE", 105)
    assert job.result["changed"] == 105
    assert {stage_of(each) for each in many} == {"DISABLED"}
    assert Activity.objects.filter(kind="STAGE_CHANGED", reason="Asked for.").count() == 105
    assert OutboxEvent.objects.filter(type="member.stage_changed").count() == 105
    assert house.get(f"/jobs/{body['id']}/").json()["result"]["changed"] == 105


def test_a_job_killed_and_run_again_ends_the_same(house, many, monkeypatch):
    from ledger.services import stage as service

    monkeypatch.setattr(service, "CHUNK", 10)
    give(many[3], 40)
    give(many[70], 2)
    job_id = ask(house, "CLOSED", criteria={"stages": ["SUSPENDED"]}).json()["id"]
    whole, calls = service.change_stages, []

    def dies(*arguments, **options):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return whole(*arguments, **options)

    monkeypatch.setattr(service, "change_stages", dies)
    with pytest.raises(KeyboardInterrupt):
        change_stages(job_id=job_id)
    half = Job.objects.get(pk=job_id)
    assert (half.status, half.done) == ("RUNNING", 40)
    assert Member.objects.filter(stage="CLOSED").count() == 40

    job = run(job_id)

    assert (job.status, job.done) == ("DONE", 105)
    assert job.result == {"changed": 105, "unchanged": 0, "refused": 0, "forfeited": 42}
    assert Activity.objects.filter(kind="STAGE_CHANGED").count() == 105
    assert Account.objects.filter(available__gt=0).count() == 0


def test_what_a_job_could_not_move_is_told_line_by_line(house, many):
    Member.objects.filter(pk=many[4].pk).update(stage="CLOSED")
    numbers = [each.number for each in many] + ["9999999999"]

    job_id = ask(house, "DISABLED", criteria={"members": numbers}).json()["id"]
    job = run(job_id)

    assert (job.done, job.total) == (106, 106)
    assert job.result == {"changed": 104, "unchanged": 0, "refused": 2, "forfeited": 0}
    lines = b"".join(house.get(f"/jobs/{job_id}/errors/").streaming_content).decode().splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [
        ["5", many[4].number, "STAGE_TRANSITION_FORBIDDEN"],
        ["106", "9999999999", "MEMBER_NOT_FOUND"],
    ]
