"""Segment files whose worker is killed, whose database crashes, and that are cancelled."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from config.local.run import ROOT
from loyalty.models import JobError
from loyalty.services import jobs
from members.services import segment_import, segment_staging, segment_switch
from members.tasks import import_segment_file
from tests.factories.members import MemberFactory
from tests.factories.segments import inside
from tests.members.segment_import.calls import keys, load, many, start, tables

pytestmark = pytest.mark.usefixtures("committed_program", "folders", "no_tables")


def test_readers_see_who_was_in_until_all_are_in(vip, monkeypatch):
    members = [MemberFactory() for _ in range(4)]
    load(vip, keys(members[:2]))
    seen = []
    count_again = segment_switch.count_again

    def look(*arguments, **named):
        def read():
            seen.append(inside(vip))
            connection.close()

        reader = threading.Thread(target=read)
        reader.start()
        reader.join()
        count_again(*arguments, **named)

    monkeypatch.setattr(segment_switch, "count_again", look)
    load(vip, keys(members[2:]), "REPLACE")

    assert seen == [{each.pk for each in members[:2]}]
    assert inside(vip) == {each.pk for each in members[2:]}


KILLED = """
import os, signal, sys, django
django.setup()
from django.db import connections
connections["default"].settings_dict["NAME"] = sys.argv[2]
from django.conf import settings
from pathlib import Path
settings.LAUREL_UPLOAD_FOLDER = Path(sys.argv[3])
from loyalty.services import jobs
from members.services import segment_import, segment_staging, segment_switch
def kill(*arguments, **named):
    os.kill(os.getpid(), signal.SIGKILL)
where, blocks = sys.argv[4], []
resolve, take, count = segment_staging._resolve, segment_staging._take, segment_switch.count_again
if where == "before the first block": segment_staging._take = kill
if where == "in the third block":
    def third(*a, **n):
        blocks.append(1)
        return resolve(*a, **n) if len(blocks) < 3 else (resolve(*a, **n), kill())
    segment_staging._resolve = third
if where == "after the second block":
    def second(*a, **n):
        take(*a, **n)
        blocks.append(1)
        if len(blocks) == 2: kill()
    segment_staging._take = second
if where == "before the switch": segment_switch.switch = kill
if where == "in the switch": segment_switch.count_again = kill
if where == "after the switch": segment_staging.drop = kill
with jobs.resume(sys.argv[1]) as job:
    segment_import.run_import(job, block_bytes=128 * 1024)
"""


@pytest.mark.parametrize(
    "where",
    [
        "before the first block",
        "in the third block",
        "after the second block",
        "before the switch",
        "in the switch",
        "after the switch",
    ],
)
def test_a_killed_worker_leaves_the_segment_as_it_was_and_the_next_ends_the_same(
    where, vip, settings
):
    members = many(200)
    old = MemberFactory()
    load(vip, keys([old]))
    lines = ["x"] + [str(n) for n in range(50_000)]
    for place, member in enumerate(members):
        lines[1 + place * 200] = member.number
    job = start(vip, "\n".join(lines).encode(), "REPLACE", header=False)
    command = [sys.executable, "-c", KILLED, str(job.pk), connection.settings_dict["NAME"]]
    command += [str(settings.LAUREL_UPLOAD_FOLDER), where]

    killed = subprocess.run(command, cwd=ROOT, env=os.environ, check=False)
    left = inside(vip)
    import_segment_file(job_id=str(job.pk))

    assert killed.returncode == -signal.SIGKILL
    everybody = {each.pk for each in members}
    assert left == (everybody if where == "after the switch" else {old.pk})
    assert inside(vip) == everybody
    job.refresh_from_db()
    assert job.status == "DONE"
    assert job.done == job.total
    assert job.result == {
        "lines": 50_001,
        "members": 200,
        "added": 200,
        "updated": 0,
        "removed": 1,
        "unchanged": 0,
        "unknown": 49_800,
        "rejected": 1,
        "duplicates": 0,
    }
    assert JobError.objects.filter(job=job).count() == 49_801
    assert tables() == 0


def test_a_crash_of_the_database_empties_the_table_and_the_file_is_read_anew(vip, monkeypatch):
    members = many(50)
    job = start(vip, keys(members))
    monkeypatch.setattr(segment_switch, "switch", lambda *arguments: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        import_segment_file(job_id=str(job.pk))
    monkeypatch.undo()
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {segment_staging.table_of(job.pk)}")

    jobs.restart(job)
    import_segment_file(job_id=str(job.pk))

    job.refresh_from_db()
    assert inside(vip) == {each.pk for each in members}
    assert (job.result["lines"], job.done) == (50, job.total)


def test_a_cancelled_import_changes_nothing_and_leaves_nothing(vip, monkeypatch):
    members = many(50)
    job = start(vip, keys(members))
    check = segment_switch._check

    def cancel_first(row, wanted):
        check(row, wanted)
        stop = threading.Thread(target=lambda: (jobs.cancel(job), connection.close()))
        stop.start()
        stop.join()

    monkeypatch.setattr(segment_switch, "_check", cancel_first)
    import_segment_file(job_id=str(job.pk))

    job.refresh_from_db()
    assert job.status == "CANCELLED"
    assert inside(vip) == set()
    assert tables() == 1
    assert segment_import.forget_tables(at=datetime.now(UTC)) == 1
    assert tables() == 0


def test_a_table_that_is_needed_is_not_dropped(vip, monkeypatch):
    job = start(vip, keys(many(5)))
    monkeypatch.setattr(segment_switch, "switch", lambda *arguments: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        import_segment_file(job_id=str(job.pk))

    assert segment_import.forget_tables(at=datetime.now(UTC)) == 0
    assert segment_import.forget_tables(at=datetime.now(UTC) + timedelta(days=8)) == 1
