"""Birthdays and anniversaries: once a year, whatever becomes of the night."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.utils import timezone

from ledger.models import Transaction
from loyalty.models import Job
from members.models import Member
from promotions import tasks
from promotions.models import MemberEvent, Promotion
from promotions.services import celebrations
from promotions.services.celebrations import celebrate_chunk, days_of
from promotions.services.writing.authoring import set_status
from promotions.tasks import run_night, start_night
from tests.factories.ledger import balance
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion
from tests.factories.tiers import ladder

pytestmark = pytest.mark.django_db(transaction=True)
VIENNA = ZoneInfo("Europe/Vienna")
GIFT = {"kind": "FIXED", "type": "PTS", "points": 100}
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
JOINED = datetime(2020, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def gifts(committed_program):
    promotion("CAKE", trigger="BIRTHDAY", award=GIFT, at=LONG_AGO)


def born(year, month, day, **more):
    return MemberFactory(birth_date=date(year, month, day), **{"joined_at": JOINED, **more})


def celebrate(*days, feast="BIRTHDAY", at=None):
    at = at or datetime.combine(max(days), time(12), tzinfo=UTC)
    after, rewarded = 0, 0
    while (chunk := celebrate_chunk(feast, list(days), after=after, at=at, at_most=2)).last:
        after, rewarded = chunk.last, rewarded + chunk.rewarded
    return rewarded


def test_who_has_birthday_is_rewarded_and_nobody_else():
    today, yesterday, unknown = born(1990, 3, 14), born(1990, 3, 13), MemberFactory()

    assert celebrate(date(2027, 3, 14)) == 1

    assert [balance(each).available for each in (today, yesterday, unknown)] == [100, 0, 0]
    posted = Transaction.objects.get()
    assert posted.kind == "BONUS"
    assert posted.occurred_at == datetime(2027, 3, 14, tzinfo=VIENNA)
    assert posted.reason == "Birthday of 2027-03-14."
    assert posted.data["event"]["type"] == "BIRTHDAY"


def test_a_condition_may_ask_for_the_age():
    award = {**GIFT, "points": 1000}
    promotion("FORTY", trigger="BIRTHDAY", award=award, condition="event.age == 40", at=LONG_AGO)
    forty, other = born(1987, 3, 14), born(1988, 3, 14)

    celebrate(date(2027, 3, 14))

    assert [balance(each).available for each in (forty, other)] == [1100, 100]


@pytest.mark.parametrize(
    ("day", "rewarded"),
    [
        (date(2027, 2, 28), 0),
        (date(2027, 3, 1), 1),
        (date(2028, 2, 29), 1),
        (date(2028, 3, 1), 0),
        (date(2028, 2, 28), 0),
    ],
)
def test_the_29th_of_february_is_the_1st_of_march_where_there_is_none(day, rewarded):
    born(1992, 2, 29)

    assert celebrate(day) == rewarded


def test_a_birthday_is_rewarded_once_and_next_year_again():
    member = born(1990, 3, 14)

    counts = [celebrate(day) for day in [date(2027, 3, 14)] * 2 + [date(2028, 3, 14)]]

    assert counts == [1, 0, 1]
    assert balance(member).available == 200


def test_a_member_who_moves_the_date_of_birth_has_no_second_birthday():
    member = born(1990, 3, 14)
    celebrate(date(2027, 3, 14))

    member.birth_date = date(1990, 4, 14)
    member.save()

    assert celebrate(date(2027, 4, 14)) == 0
    assert celebrate(date(2028, 4, 14)) == 1


def test_a_birthday_that_was_taken_back_is_not_given_again(house):
    member = born(1990, 3, 14)
    celebrate(date(2027, 3, 14))
    given = Transaction.objects.get()
    body = {"original": {"id": str(given.pk)}, "reference": "R", "reason": "Not a birthday."}

    taken = house.post(
        "/transactions/reverse-earn/", {**body, "occurred_at": timezone.now().isoformat()}
    )

    assert taken.status_code == 201, taken.json()
    assert celebrate(date(2027, 3, 14)) == 0
    assert balance(member).available == 0


def test_who_may_not_earn_or_is_not_a_member_yet_gets_nothing():
    suspended = born(1990, 3, 14, stage="SUSPENDED")
    born(1990, 3, 14, joined_at=datetime(2027, 3, 15, 12, tzinfo=UTC))
    born(2027, 3, 14)

    assert celebrate(date(2027, 3, 14)) == 0
    assert balance(suspended).available == 0


def test_who_joins_on_the_birthday_is_rewarded_from_then_on():
    joined = datetime(2027, 3, 14, 9, 30, tzinfo=UTC)
    born(1990, 3, 14, joined_at=joined)

    assert celebrate(date(2027, 3, 14)) == 1
    assert Transaction.objects.get().occurred_at == joined


def test_an_anniversary_tells_the_years():
    award = {**GIFT, "points": 70}
    promotion(
        "SEVEN",
        trigger="EVENT",
        event="ANNIVERSARY",
        award=award,
        condition="event.years == 7",
        at=LONG_AGO,
    )
    seven, new = (
        MemberFactory(joined_at=JOINED),
        MemberFactory(joined_at=JOINED + timedelta(days=365)),
    )

    assert celebrate(date(2027, 5, 1), feast="ANNIVERSARY") == 1
    assert celebrate(date(2027, 5, 1), feast="ANNIVERSARY") == 0

    assert [balance(each).available for each in (seven, new)] == [70, 0]


def test_many_members_are_rewarded_in_chunks_by_key():
    members = [born(1990, 3, 14) for _ in range(7)]

    assert celebrate(date(2027, 3, 14)) == 7
    assert {balance(each).available for each in members} == {100}


def test_a_birthday_may_lift_a_tier():
    ladder(measure="POINTS_EARNED", silver=100, gold=5000)
    today = timezone.now().astimezone(VIENNA).date()
    member = born(1990, today.month, today.day)

    celebrate(today, at=timezone.now())

    member.refresh_from_db()
    assert member.tier.code == "SILVER"


def test_what_a_merged_member_was_given_counts_for_the_survivor(house):
    survivor, merged = born(1990, 3, 14), born(1990, 3, 14)
    merged_only = date(2027, 3, 14)
    Member.objects.filter(pk=survivor.pk).update(stage="SUSPENDED")
    celebrate(merged_only)
    Member.objects.filter(pk=survivor.pk).update(stage="ACTIVE")
    body = {"from": {"number": merged.number}, "into": {"number": survivor.number}}
    answer = house.post("/members/merge/", {**body, "reason": "One person."})
    assert answer.status_code == 200, answer.json()

    assert celebrate(merged_only) == 0


def night(created_at, status="DONE"):
    return Job.objects.create(
        id=f"0198c0de-0000-7000-8000-{created_at:%Y%m%d%H%M}",
        kind=run_night.name,
        status=status,
        created_at=created_at,
    )


def test_nights_that_were_missed_are_made_up_for():
    at = datetime(2027, 3, 14, 1, tzinfo=UTC)

    assert days_of(night(at)) == [date(2027, 3, 14)]
    night(at - timedelta(days=1), status="FAILED")
    night(at - timedelta(days=3))
    assert days_of(night(at + timedelta(hours=1))) == [date(2027, 3, 14)]
    Job.objects.filter(created_at=at).delete()
    days = days_of(Job.objects.get(created_at=at + timedelta(hours=1)))
    assert days == [date(2027, 3, day) for day in (11, 12, 13, 14)]
    Job.objects.filter(status="DONE").exclude(created_at=at + timedelta(hours=1)).delete()
    night(at - timedelta(days=300))
    days = days_of(Job.objects.get(created_at=at + timedelta(hours=1)))
    assert (len(days), days[-1]) == (31, date(2027, 3, 14))


def test_a_night_that_is_killed_in_the_middle_gives_nothing_twice(monkeypatch):
    today = timezone.now().astimezone(VIENNA).date()
    members = [born(1990, today.month, today.day) for _ in range(6)]
    whole, calls = celebrations.celebrate_chunk, []

    def dies_at_the_third(*arguments, **options):
        calls.append(options["after"])
        if len(calls) == 3:
            raise RuntimeError("killed")
        return whole(*arguments, **{**options, "at_most": 2})

    monkeypatch.setattr(tasks.celebrations, "celebrate_chunk", dies_at_the_third)
    start_night()
    job = Job.objects.get()
    with pytest.raises(RuntimeError):
        run_night(job_id=str(job.pk))
    assert MemberEvent.objects.count() == 4

    # Even if it was not noted how far it came.
    Job.objects.filter(pk=job.pk).update(status="PENDING", position=None)
    run_night(job_id=str(job.pk))

    job.refresh_from_db()
    assert job.status == "DONE"
    assert {balance(each).available for each in members} == {100}
    assert Transaction.objects.count() == 6


def test_a_night_without_such_a_promotion_looks_at_nobody(monkeypatch):
    today = timezone.now().astimezone(VIENNA).date()
    member = born(1990, today.month, today.day)
    with transaction.atomic():
        set_status(Promotion.objects.get(), "ENDED", at=timezone.now() - timedelta(days=2))
    start_night()

    run_night(job_id=str(Job.objects.get().pk))

    assert balance(member).available == 0
    assert "birthdays" not in Job.objects.get().result
