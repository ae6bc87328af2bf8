"""Segment files: what becomes of each line, in every mode, however often the worker is killed."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction

from config.local.run import ROOT
from loyalty.errors import FileMissing
from loyalty.models import Job, JobError
from loyalty.services import jobs, uploads
from members.import_errors import FileChanged, ImportSuperseded, SegmentFileEmpty
from members.models import Member, SegmentMember
from members.services import segment_import, segment_staging, segment_switch
from members.services.segment_import import Wanted
from members.tasks import import_segment_file
from tests.factories.members import AliasFactory, CardFactory, MemberFactory
from tests.factories.segments import SegmentFactory, inside

pytestmark = pytest.mark.usefixtures("committed_program", "folders", "no_tables")
BLOCK = 128 * 1024


@pytest.fixture
def folders(tmp_path, settings):
    settings.LAUREL_UPLOAD_FOLDER = tmp_path / "uploads"
    settings.LAUREL_IMPORT_FOLDER = tmp_path / "import"
    settings.LAUREL_IMPORT_FOLDER.mkdir()
    return tmp_path


@pytest.fixture
def no_tables(transactional_db):
    """Drop what jobs of other tests left: their tables outlive the rows."""
    segment_import.forget_tables(at=datetime.now(UTC))


@pytest.fixture
def vip():
    return SegmentFactory(code="VIP")


def start(segment, data, mode="ADD", *, at=None, **wanted):
    at = at or datetime.now(UTC)
    upload = uploads.keep(SimpleUploadedFile("keys.csv", data), at=at)
    prepared = segment_import.prepare(Wanted(mode, **wanted), upload=upload)
    with transaction.atomic():
        return segment_import.start_import(segment.code, prepared, at=at)


def load(segment, data, mode="ADD", **wanted):
    job = start(segment, data, mode, **wanted)
    import_segment_file(job_id=str(job.pk))
    job.refresh_from_db()
    return job


def keys(members, end="\n"):
    return "".join(f"{member.number}{end}" for member in members).encode()


def rejects(job):
    return list(
        JobError.objects.filter(job=job).order_by("line").values_list("line", "value", "code")
    )


def tables():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'members_import_%'")
        return cursor.fetchone()[0]


def test_add_puts_in_whom_the_file_names_and_tells_of_each_line(vip):
    known = [MemberFactory() for _ in range(3)]
    closed = MemberFactory(stage="CLOSED")
    SegmentMember.objects.create(segment=vip, member=known[0], since=datetime.now(UTC))
    other = MemberFactory()
    SegmentMember.objects.create(segment=vip, member=other, since=datetime.now(UTC))
    lines = ["number", known[0].number, known[1].number, "", "12x", "999", closed.number]
    lines += [known[1].number, known[2].number]

    job = load(vip, "\r\n".join(lines).encode())

    assert job.status == "DONE"
    assert job.result == {
        "lines": 7,
        "members": 3,
        "added": 2,
        "updated": 0,
        "removed": 0,
        "unchanged": 1,
        "unknown": 1,
        "rejected": 2,
        "duplicates": 1,
    }
    assert rejects(job) == [
        (5, "12x", "MALFORMED"),
        (6, "999", "UNKNOWN_MEMBER"),
        (7, closed.number, "MEMBER_CLOSED"),
    ]
    assert inside(vip) == {each.pk for each in (*known, other)}
    assert (job.done, job.total) == (len("\r\n".join(lines)),) * 2
    vip.refresh_from_db()
    assert vip.size == 4
    assert tables() == 0


def test_remove_takes_out_whom_the_file_names(vip):
    members = [MemberFactory() for _ in range(4)]
    load(vip, keys(members[:3]))

    job = load(vip, keys(members[1:]), "REMOVE")

    assert inside(vip) == {members[0].pk}
    counts = {name: job.result[name] for name in ("added", "removed", "unchanged")}
    assert counts == {"added": 0, "removed": 2, "unchanged": 1}


def test_replace_leaves_in_whom_the_file_names_and_nobody_else(vip):
    members = [MemberFactory() for _ in range(5)]
    load(vip, keys(members[:3]))
    since = dict(SegmentMember.objects.values_list("member_id", "since"))

    job = load(vip, keys(members[2:]), "REPLACE")

    assert inside(vip) == {each.pk for each in members[2:]}
    counts = {name: job.result[name] for name in ("added", "removed", "unchanged")}
    assert counts == {"added": 2, "removed": 2, "unchanged": 1}
    kept = SegmentMember.objects.get(member=members[2])
    assert kept.since == since[members[2].pk]


@pytest.mark.parametrize("mode", ["ADD", "REMOVE", "REPLACE"])
def test_the_same_file_again_changes_nothing(mode, vip):
    members = [MemberFactory() for _ in range(3)]
    load(vip, keys(members))
    first = load(vip, keys(members[:2]), mode)
    before = list(SegmentMember.objects.order_by("member_id").values_list())

    again = load(vip, keys(members[:2]), mode)

    assert list(SegmentMember.objects.order_by("member_id").values_list()) == before
    assert (again.result["added"], again.result["removed"]) == (0, 0)
    assert again.result["unchanged"] == first.result["members"]


@pytest.mark.parametrize("mode", ["ADD", "REMOVE", "REPLACE"])
def test_a_dry_run_counts_the_same_and_changes_nothing(mode, vip):
    members = [MemberFactory() for _ in range(5)]
    load(vip, keys(members[:3]))
    before = list(SegmentMember.objects.order_by("member_id").values_list())

    dry = load(vip, keys(members[2:]), mode, dry_run=True)
    same = list(SegmentMember.objects.order_by("member_id").values_list()) == before
    real = load(vip, keys(members[2:]), mode)

    assert same
    assert (dry.dry_run, real.dry_run) == (True, False)
    assert dry.result == real.result


def test_an_end_is_set_for_whom_the_file_puts_in(vip, now):
    old, new = MemberFactory(), MemberFactory()
    ended = MemberFactory()
    load(vip, keys([old]))
    SegmentMember.objects.create(
        segment=vip, member=ended, since=now - timedelta(9), until=now - timedelta(1)
    )
    until = now + timedelta(days=30)

    job = load(vip, keys([old, new, ended]), until=until)

    counts = {name: job.result[name] for name in ("added", "updated", "unchanged")}
    assert counts == {"added": 2, "updated": 1, "unchanged": 0}
    assert set(SegmentMember.objects.values_list("until", flat=True)) == {until}
    assert SegmentMember.objects.get(member=ended).since > now - timedelta(1)


@pytest.mark.parametrize("mode", ["ADD", "REPLACE"])
def test_members_are_named_by_card(mode, vip):
    card, merged = CardFactory(number="6275000000000017"), CardFactory(number="627500000000AB25")
    survivor = MemberFactory()
    Member.objects.filter(pk=merged.member_id).update(stage="MERGED", merged_into=survivor)

    job = load(vip, b"Card number\n6275 0000-0000 0017\n627500000000AB25\n6\n", mode, key="card")

    assert inside(vip) == {card.member_id, survivor.pk}
    assert rejects(job) == [(4, "6", "UNKNOWN_MEMBER")]


def test_members_are_named_by_alias_however_it_is_written(vip):
    mail = AliasFactory(value="ann@example.org")
    data = "E-Mail;Name\r\n Ann@Example.ORG;Ann\r\nnobody;Bob\r\n".encode("utf-16")

    job = load(vip, data, key="alias", provider="email")

    assert inside(vip) == {mail.member_id}
    assert rejects(job) == [(3, "nobody", "MALFORMED")]


def test_an_alias_may_hold_what_copy_would_take_for_its_own(vip):
    from loyalty.models import IdentityProvider

    app = IdentityProvider.objects.get(code="app")
    values = ["a\\b", "\\N", "\\.", "a\\tb", "ü€"]
    found = [AliasFactory(provider=app, value=value).member_id for value in values]

    job = load(vip, "\n".join(values).encode(), key="alias", provider="app", header=False)

    assert inside(vip) == set(found), rejects(job)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"number\n", b"x\ny\n", b"999\n"])
def test_a_file_that_names_nobody_does_not_empty_a_segment(data, vip):
    member = MemberFactory()
    load(vip, keys([member]))
    job = start(vip, data, "REPLACE")

    with pytest.raises(SegmentFileEmpty):
        import_segment_file(job_id=str(job.pk))
    job.refresh_from_db()
    added = load(vip, data)
    still = inside(vip)
    emptied = load(vip, data, "REPLACE", allow_empty=True)

    assert (job.status, job.problem["code"]) == ("FAILED", "SEGMENT_FILE_EMPTY")
    assert (added.status, added.result["added"]) == ("DONE", 0)
    assert still == {member.pk}
    assert (emptied.result["removed"], inside(vip)) == (1, set())


def test_a_file_that_was_sent_earlier_does_not_undo_a_later_one(vip, now):
    first, second = MemberFactory(), MemberFactory()
    slow = start(vip, keys([first]), "REPLACE", at=now)
    later = start(vip, keys([second]), "ADD", at=now + timedelta(minutes=1))
    import_segment_file(job_id=str(later.pk))

    with pytest.raises(ImportSuperseded):
        import_segment_file(job_id=str(slow.pk))

    slow.refresh_from_db()
    assert (slow.status, slow.problem["code"]) == ("FAILED", "IMPORT_SUPERSEDED")
    assert inside(vip) == {second.pk}


def test_two_that_add_do_not_mind_their_order(vip, now):
    first, second = MemberFactory(), MemberFactory()
    slow = start(vip, keys([first]), at=now)
    later = start(vip, keys([second]), at=now + timedelta(minutes=1))
    for job in (later, slow):
        import_segment_file(job_id=str(job.pk))

    assert inside(vip) == {first.pk, second.pk}


def test_two_imports_of_one_segment_take_turns(vip):
    """Each replaces all: what is left is what one of the two files names, never both."""
    members = [MemberFactory() for _ in range(40)]
    half = [start(vip, keys(some), "REPLACE") for some in (members[:20], members[20:])]
    together = threading.Barrier(2)
    ended = []

    def work(job):
        together.wait()
        try:
            import_segment_file(job_id=str(job.pk))
            ended.append("DONE")
        except ImportSuperseded:
            ended.append("SUPERSEDED")
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(job,)) for job in half]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(ended) in (["DONE", "DONE"], ["DONE", "SUPERSEDED"])
    assert inside(vip) == {each.pk for each in members[20:]}
    vip.refresh_from_db()
    assert vip.size == 20


def test_without_their_turns_both_files_would_be_in(vip, monkeypatch):
    """Prove that the test above needs the lock: each inserts before the other's rows are seen."""
    members = [MemberFactory() for _ in range(4)]
    half = [start(vip, keys(some), "REPLACE") for some in (members[:2], members[2:])]
    together = threading.Barrier(2, timeout=20)
    write = segment_switch._write

    def write_together(wanted, at):
        together.wait()
        counts = write(wanted, at)
        together.wait()
        return counts

    monkeypatch.setattr(segment_switch, "_take_turn", lambda segment_id: None)
    monkeypatch.setattr(segment_switch, "_check", lambda job, wanted: None)
    monkeypatch.setattr(segment_switch, "_write", write_together)

    def work(job):
        try:
            import_segment_file(job_id=str(job.pk))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(job,)) for job in half]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert inside(vip) == {each.pk for each in members}


@pytest.mark.parametrize("block", [BLOCK, segment_import.BLOCK_BYTES])
def test_the_size_of_a_block_does_not_matter(block, vip):
    members = many(300)
    lines = [str(n) for n in range(70_000, 100_000)]
    for place, member in enumerate(members):
        lines[place * 97] = member.number
    job = start(vip, "\n".join(lines).encode())

    with jobs.resume(str(job.pk)) as running:
        segment_import.run_import(running, block_bytes=block)

    job.refresh_from_db()
    assert inside(vip) == {each.pk for each in members}
    assert (job.result["lines"], job.result["added"]) == (30_000, 300)
    assert job.result["unknown"] == 29_700
    assert JobError.objects.filter(job=job).count() == 29_700


def many(count):
    one = MemberFactory()
    rows = [
        Member(
            number=str(2_000_000_000 + n),
            tier_id=one.tier_id,
            enrolled_by_id=one.enrolled_by_id,
            joined_at=one.joined_at,
        )
        for n in range(count)
    ]
    return Member.objects.bulk_create(rows)


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


def test_a_file_of_the_import_folder_is_read_where_it_is(vip, folders, now):
    member = MemberFactory()
    path = folders / "import" / "vip.csv"
    path.write_bytes(keys([member]))
    prepared = segment_import.prepare(Wanted("ADD"), path="vip.csv")
    started = []
    for _ in range(3):
        with transaction.atomic():
            started.append(segment_import.start_import("VIP", prepared, at=now))

    import_segment_file(job_id=str(started[0].pk))
    path.write_bytes(keys([member, MemberFactory()]))
    with pytest.raises(FileChanged):
        import_segment_file(job_id=str(started[1].pk))
    path.unlink()
    with pytest.raises(FileMissing):
        import_segment_file(job_id=str(started[2].pk))

    assert inside(vip) == {member.pk}
    assert Job.objects.get(pk=started[1].pk).problem["code"] == "FILE_CHANGED"
    assert Job.objects.get(pk=started[2].pk).problem["code"] == "FILE_NOT_FOUND"


def test_the_look_ups_use_their_indexes(vip):
    """However many members there are, a block of keys costs what its keys cost."""
    many(3000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE members_member")
        cursor.execute("CREATE TEMPORARY TABLE incoming (line bigint, key text)")
        cursor.execute("INSERT INTO incoming VALUES (1, '2000000007')")
        cursor.execute("ANALYZE incoming")
        for key, index in (("number", "members_member_number"), ("card", "members_card_number")):
            join = segment_import.kind_of(key, None).join
            cursor.execute(f"EXPLAIN SELECT m.id FROM incoming i {join}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert index in plan or key == "card", plan
        cursor.execute("DROP TABLE incoming")
