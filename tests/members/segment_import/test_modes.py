"""Segment files: what becomes of each line, in every mode, however often the worker is killed."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from loyalty.errors import FileMissing
from loyalty.models import Job, JobError
from loyalty.services import jobs
from members.import_errors import FileChanged, SegmentFileEmpty
from members.models import Member, SegmentMember
from members.services import segment_import
from members.services.segment_import import Wanted
from members.tasks import import_segment_file
from tests.factories.members import AliasFactory, CardFactory, MemberFactory
from tests.factories.segments import inside
from tests.members.segment_import.calls import BLOCK, keys, load, many, rejects, start, tables

pytestmark = pytest.mark.usefixtures("committed_program", "folders", "no_tables")


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
