"""Subscribers are told of points that expire soon: once for each member, type and date."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ledger.models import ExpiryNotice, PointType
from ledger.services import expiring
from ledger.services.expiring import forget_notices, tell_chunk
from ledger.tasks import run_expiring
from loyalty.models import Job, OutboxEvent, Program
from loyalty.services import jobs
from partners.models import Partner
from promotions.tasks import run_night, start_night
from tests.factories.ledger import give
from tests.factories.members import MemberFactory

NOW = datetime(2026, 10, 5, 1, tzinfo=UTC)


@pytest.fixture
def ann(program):
    return MemberFactory()


def events():
    return list(OutboxEvent.objects.filter(type="points.expiring").order_by("pk"))


def tell(at=NOW, **more):
    after, notices = 0, 0
    while (told := tell_chunk(after=after, at=at, **more)).last is not None:
        after, notices = told.last, notices + told.notices
    return notices


def test_a_member_is_told_of_what_expires_within_the_lead_time(ann):
    give(ann, 100, at=NOW - timedelta(days=9), lives=timedelta(days=29))
    give(ann, 20, at=NOW - timedelta(days=8), lives=timedelta(days=28))
    give(ann, 7, at=NOW - timedelta(days=7), lives=timedelta(days=60))
    give(MemberFactory(), 50, at=NOW - timedelta(days=9), lives=None)

    assert tell() == 1

    [event] = events()
    assert (event.member_id, event.partner_id) == (ann.pk, Partner.objects.get(is_house=True).pk)
    until = NOW + timedelta(days=20)
    zone = ZoneInfo(Program.objects.get().time_zone)
    assert event.payload == {
        "type": "PTS",
        "points": 120,
        "expires_at": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "last_valid_date": str((until - timedelta(microseconds=1)).astimezone(zone).date()),
    }


def test_it_is_told_once(ann):
    give(ann, 100, at=NOW - timedelta(days=9), lives=timedelta(days=29))

    assert (tell(), tell(), tell(NOW + timedelta(days=1))) == (1, 0, 0)
    assert len(events()) == 1


def test_each_type_and_date_is_told_apart(ann):
    PointType.objects.create(code="MILES", name="Miles")
    for days in (10, 20):
        give(ann, 5, at=NOW - timedelta(days=1), lives=timedelta(days=days))
    give(ann, 6, at=NOW - timedelta(days=1), lives=timedelta(days=10), point_type="MILES")

    assert tell() == 3
    assert [(e.payload["type"], e.payload["points"]) for e in events()] == [
        ("MILES", 6),
        ("PTS", 5),
        ("PTS", 5),
    ]


def test_pending_points_are_told_of_and_expired_ones_are_not(ann):
    give(ann, 5, at=NOW, lives=timedelta(days=20), pending=timedelta(days=14))
    give(ann, 6, at=NOW - timedelta(days=9), lives=timedelta(days=9))

    assert tell() == 1
    assert events()[0].payload["points"] == 5


@pytest.mark.parametrize(("lead", "told"), [(None, 0), (timedelta(days=5), 0), (timedelta(40), 1)])
def test_the_lead_time_is_the_programmes(ann, lead, told):
    Program.objects.update(points_expiring_before=lead)
    give(ann, 100, at=NOW - timedelta(days=1), lives=timedelta(days=21))

    assert tell() == told


def test_it_goes_on_by_chunks_where_it_was_killed(ann, monkeypatch):
    for member in (ann, MemberFactory(), MemberFactory()):
        give(member, 10, at=NOW - timedelta(days=1), lives=timedelta(days=9))
    job = Job.objects.create(
        id="0198c0de-0000-7000-8000-000000000000", kind="test", created_at=NOW, status="RUNNING"
    )
    whole = expiring.tell_chunk

    def killed_after_two(**arguments):
        if len(events()) == 2:
            raise KeyboardInterrupt
        return whole(**arguments, at_most=1)

    monkeypatch.setattr(expiring, "tell_chunk", killed_after_two)
    with pytest.raises(KeyboardInterrupt):
        run_expiring(jobs.Running(job))
    monkeypatch.setattr(expiring, "tell_chunk", lambda **a: whole(**a, at_most=1))

    run_expiring(jobs.Running(Job.objects.get()))

    assert len({event.member_id for event in events()}) == len(events()) == 3


def test_what_has_expired_is_forgotten(ann):
    give(ann, 100, at=NOW - timedelta(days=9), lives=timedelta(days=19))
    tell()

    assert forget_notices(at=NOW + timedelta(days=9)) == 0
    assert forget_notices(at=NOW + timedelta(days=10)) == 1
    assert not ExpiryNotice.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_it_is_a_step_of_the_night(committed_program):
    give(MemberFactory(), 10, lives=timedelta(days=9))
    start_night()

    run_night(job_id=str(Job.objects.get().pk))

    assert Job.objects.get().result["expiring"] == 1
    assert len(events()) == 1
