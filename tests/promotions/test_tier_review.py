"""The review of tiers in the night: who stays, who falls, and when."""

from datetime import UTC, date, datetime, timedelta

import pytest

from loyalty.services import jobs
from members.models import Activity, Tier, TierMeasure
from promotions import tasks
from promotions.services.tiers import tier_review
from tests.factories.members import MemberFactory
from tests.factories.tiers import ladder

pytestmark = [
    pytest.mark.usefixtures("program"),
    pytest.mark.broken_books,  # Measures without sales.
]

AT = datetime(2026, 7, 1, 1, tzinfo=UTC)


def held(tier, *, until=None, spent=(), **more):
    member = MemberFactory(
        tier=Tier.objects.get(code=tier),
        tier_since=datetime(2025, 3, 1, tzinfo=UTC),
        tier_until=until,
        joined_at=datetime(2024, 5, 10, 12, tzinfo=UTC),
        **more,
    )
    for day, euros in spent:
        TierMeasure.objects.create(
            member=member, measure="SPEND", day=date.fromisoformat(day), amount=euros * 100
        )
    return member


def review(at=AT, *, everybody=False, at_most=5_000):
    after = 0
    while True:
        chunk = tier_review.review_chunk(after=after, at=at, everybody=everybody, at_most=at_most)
        if chunk.last is None:
            return
        after = chunk.last


def now_held(member):
    member.refresh_from_db()
    return member.tier.code, member.tier_until


def test_a_rolling_tier_falls_when_the_measure_does():
    ladder()
    stays = held("SILVER", spent=[("2025-07-02", 100)])
    falls = held("SILVER", spent=[("2025-07-01", 100)])

    review()

    assert now_held(stays) == ("SILVER", None)
    assert now_held(falls) == ("BASE", None)
    assert Activity.objects.get(member=falls).data["cause"] == "REVIEW"


def test_within_the_grace_it_stays_and_may_be_deserved_again():
    ladder(grace="P1M")
    member = held("SILVER")

    review()
    assert now_held(member) == ("SILVER", AT)
    review(AT + timedelta(days=29))
    assert now_held(member)[0] == "SILVER"

    TierMeasure.objects.create(member=member, measure="SPEND", day=date(2026, 7, 30), amount=100_00)
    review(AT + timedelta(days=40))

    assert now_held(member) == ("SILVER", None)


def test_after_the_grace_it_falls():
    ladder(grace="P1M")
    member = held("GOLD")
    review()

    review(AT + timedelta(days=31))

    assert now_held(member)[0] == "BASE"


def test_one_tier_at_a_time():
    ladder(downgrade="ONE_DOWN", grace="P1M")
    member = held("GOLD", until=AT - timedelta(days=40))

    review()
    assert now_held(member) == ("SILVER", None)
    review(AT + timedelta(days=1))
    review(AT + timedelta(days=33))

    assert now_held(member)[0] == "BASE"


def test_a_year_that_was_full_keeps_the_tier_for_the_next():
    ladder(window="CALENDAR_YEAR", valid="END_OF_NEXT_YEAR")
    new_year = datetime(2026, 12, 31, 23, tzinfo=UTC)  # In Vienna.
    kept = held("SILVER", until=new_year, spent=[("2026-05-01", 100)])
    lost = held("SILVER", until=new_year, spent=[("2025-05-01", 100)])
    early = held("SILVER", until=datetime(2027, 12, 31, 23, tzinfo=UTC))

    review(new_year + timedelta(minutes=5))

    assert now_held(kept) == ("SILVER", datetime(2027, 12, 31, 23, tzinfo=UTC))
    assert now_held(lost) == ("BASE", None)
    assert now_held(early)[0] == "SILVER"


def test_tiers_that_are_never_lost_stay():
    ladder(downgrade="NEVER")
    member = held("GOLD")

    review()

    assert now_held(member) == ("GOLD", None)


def test_a_new_ladder_lifts_those_who_are_far_enough():
    member = held("BASE", spent=[("2026-05-01", 150)])
    ladder()

    review()
    assert now_held(member)[0] == "BASE"
    review(everybody=True)

    assert now_held(member)[0] == "SILVER"


def test_closed_and_merged_members_are_left_alone():
    ladder()
    closed = held("GOLD", stage="CLOSED")

    review(everybody=True)

    assert now_held(closed)[0] == "GOLD"


def test_run_twice_it_does_nothing_more():
    ladder()
    held("SILVER")

    review(everybody=True)
    review(everybody=True)

    assert Activity.objects.count() == 1


class Killed(Exception):
    pass


@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_and_run_again_it_ends_the_same(committed_program, monkeypatch):
    ladder()
    everybody = [held("SILVER") for _ in range(5)]
    monkeypatch.setattr(tier_review, "CHUNK", 2)
    whole, calls = tier_review.review_chunk, []

    def killed_after_one(**arguments):
        if calls:
            raise Killed
        calls.append(arguments)
        return whole(**arguments, at_most=2)

    monkeypatch.setattr(tier_review, "review_chunk", killed_after_one)
    job = jobs.start(tasks.run_night.name, at=AT)
    with pytest.raises(Killed):
        tasks.run_night(job_id=str(job.pk))
    job.refresh_from_db()
    assert job.position["step"] == "tiers"
    assert Activity.objects.count() == 2

    monkeypatch.setattr(tier_review, "review_chunk", whole)
    jobs.restart(job)
    tasks.run_night(job_id=str(job.pk))

    job.refresh_from_db()
    assert job.status == "DONE"
    assert [now_held(member)[0] for member in everybody] == ["BASE"] * 5
    assert Activity.objects.count() == 5
    assert job.result["lowered"] == 5
    TierMeasure.objects.all().delete()
