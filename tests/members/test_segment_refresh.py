"""Dynamic segments: who fits is in, chunk by chunk, however often it runs."""

from datetime import date, timedelta

import pytest

from loyalty.models import Job, Program
from loyalty.services import jobs
from members.models import Consent, Segment, SegmentMember
from members.services import segment_refresh, segment_rows, segments
from members.tasks import refresh_segment
from tests.factories.members import MemberFactory
from tests.factories.segments import SegmentFactory, inside

pytestmark = pytest.mark.usefixtures("committed_program")


def start(segment, now):
    from django.db import transaction

    with transaction.atomic():
        return segment_refresh.start_refresh(segment.code, at=now)


def run(segment, now, *, chunk=segment_refresh.CHUNK):
    job = start(segment, now)
    with jobs.resume(str(job.pk)) as running:
        segment_refresh.refresh(running, chunk=chunk)
    job.refresh_from_db()
    return job


def test_who_fits_is_in_and_who_does_not_is_out(now):
    old, young = (
        MemberFactory(birth_date=date(1950, 5, 1)),
        MemberFactory(birth_date=date(now.year - 10, 1, 1)),
    )
    unknown = MemberFactory()
    segment = SegmentFactory(condition="member.age >= 65", members=[young, unknown])

    job = run(segment, now)

    assert inside(segment) == {old.pk}
    assert (job.status, job.done) == ("DONE", 3)
    assert job.result == {"added": 1, "removed": 2, "unchanged": 0}
    segment.refresh_from_db()
    assert segment.size == 1
    assert segment.refreshed_at is not None


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_the_chunk_does_not_matter_and_nor_does_a_second_run(chunk, now):
    born = [date(1950 + 10 * n, 1, 1) for n in range(7)]
    members = [MemberFactory(birth_date=day) for day in born]
    segment = SegmentFactory(condition="member.age >= 50", members=members[-1:])

    run(segment, now, chunk=chunk)
    first = inside(segment)
    again = run(segment, now, chunk=chunk)

    assert first == inside(segment)
    assert first == {
        member.pk for member, day in zip(members, born, strict=True) if now.year - day.year >= 50
    }
    assert (again.result["added"], again.result["removed"]) == (0, 0)


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ("member.country == 'AT' && member.language == 'de'", True),
        ("member.stage == 'ACTIVE' && member.tier == 'BASE'", True),
        ("member.birth_month == 2", True),
        ("member.joined_days >= 10 && member.joined_days < 11", True),
        ("member.joined_at < timestamp('2000-01-01T00:00:00Z')", False),
        ("member.enrolled_by == 'LAUREL' || member.enrolled_by != ''", True),
        ("member.has_email && !member.has_phone", True),
        ("'news' in member.consents && 'news/email' in member.consents", True),
        ("'offers' in member.consents", False),
        ("member.attributes.pets == 2 && member.attributes.height > 1.5", True),
        ("'DOG' in member.attributes.kinds", True),
        ("has(member.attributes.vip)", False),
        ("member.attributes.vip", False),
        ("member.currency == 'EUR'", True),
    ],
)
def test_a_condition_may_ask_for_these_facts(condition, fits, now):
    Program.objects.update(
        member_schema={
            "pets": {"type": "INTEGER"},
            "height": {"type": "DECIMAL"},
            "kinds": {"type": "LIST", "of": {"type": "TEXT"}},
            "vip": {"type": "BOOLEAN"},
        }
    )
    member = MemberFactory(
        birth_date=date(1990, 2, 3),
        address={"country": "AT"},
        language="de",
        currency="EUR",
        email="ann@example.org",
        joined_at=now - timedelta(days=10),
        attributes={"pets": 2, "height": "1.75", "kinds": ["DOG", "CAT"]},
    )
    for category, channel, given, days in (
        ("news", "", True, 3),
        ("news", "email", True, 2),
        ("offers", "", True, 2),
        ("offers", "", False, 1),
    ):
        at = now - timedelta(days=days)
        Consent.objects.create(
            member=member, category=category, channel=channel, given=given, at=at, recorded_at=at
        )
    segment = SegmentFactory(condition=condition)

    run(segment, now)

    assert (inside(segment) == {member.pk}) is fits


def test_the_merged_and_the_closed_are_in_no_segment(now):
    member = MemberFactory()
    gone = [MemberFactory(stage="CLOSED"), MemberFactory(stage="MERGED", merged_into=member)]
    segment = SegmentFactory(condition="member.stage != ''", members=gone)

    run(segment, now)

    assert inside(segment) == {member.pk}


def test_a_killed_job_goes_on_where_it_stopped_and_ends_the_same(now, monkeypatch):
    members = [MemberFactory() for _ in range(6)]
    segment = SegmentFactory(condition="member.stage == 'ACTIVE'")
    job = start(segment, now)
    write, calls = segment_refresh._write, []

    def fail_at_third(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return write(*arguments)

    monkeypatch.setattr(segment_refresh, "_write", fail_at_third)
    with pytest.raises(KeyboardInterrupt), jobs.resume(str(job.pk)) as running:
        segment_refresh.refresh(running, chunk=2)
    halfway = inside(segment)
    monkeypatch.setattr(segment_refresh, "_write", write)
    refresh_segment(job_id=str(job.pk))

    assert halfway == {each.pk for each in members[:4]}
    assert inside(segment) == {each.pk for each in members}
    job.refresh_from_db()
    assert (job.status, job.done, job.result["added"]) == ("DONE", 6, 6)


def test_a_job_for_a_condition_that_was_changed_stops(now):
    MemberFactory()
    segment = SegmentFactory(condition="member.stage == 'ACTIVE'")
    old = start(segment, now)
    content = segments.Content("X", "DYNAMIC", "member.stage == 'CLOSED'")
    new = segments.put_segment(segment.code, content, at=now).job

    refresh_segment(job_id=str(old.pk))
    refresh_segment(job_id=str(new.pk))

    assert inside(segment) == set()
    assert Job.objects.get(pk=old.pk).result == {"superseded": True}
    assert Job.objects.get(pk=new.pk).status == "DONE"


def test_the_night_refreshes_what_is_active_and_drops_what_has_ended(now):
    SegmentFactory(code="OFF", condition="member.age > 1", active=False)
    SegmentFactory(code="ON", condition="member.age > 1")
    member = MemberFactory()
    static = SegmentFactory(code="VIP", members=[member])
    SegmentMember.objects.update(until=now)
    Segment.objects.update(size=1)

    segment_refresh.start_night(at=now)

    assert [job.parameters["code"] for job in Job.objects.all()] == ["ON"]
    assert inside(static) == set()
    static.refresh_from_db()
    assert static.size == 0


def test_ended_memberships_are_dropped_some_at_once(now):
    SegmentFactory(members=[MemberFactory() for _ in range(5)])
    SegmentMember.objects.update(until=now)
    from django.db import transaction

    with transaction.atomic():
        assert segment_rows.drop_ended(at=now - timedelta(seconds=1)) == 0
        assert segment_rows.drop_ended(at=now, at_most=3) == 3
        assert segment_rows.drop_ended(at=now, at_most=3) == 2
