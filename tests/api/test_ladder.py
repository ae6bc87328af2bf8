"""The ladder: versions with an instant from which they are, and who would move."""

from datetime import timedelta

import pytest

from members.models import LadderVersion, TierMeasure
from promotions.tasks import start_tier_checks
from tests.api.test_tiers_of_sales import buy
from tests.factories.members import MemberFactory
from tests.factories.tiers import ladder

BODY = {
    "measure": "SPEND",
    "window": "ROLLING_MONTHS",
    "months": 12,
    "thresholds": [
        {"tier": "SILVER", "at_least": "100.00"},
        {"tier": "GOLD", "at_least": "300.00"},
    ],
}
URL = "/program/tiers/ladder/"


def spent(member, cents, day):
    TierMeasure.objects.create(member=member, measure="SPEND", day=day, amount=cents)


@pytest.mark.broken_books  # Measures without sales.
def test_a_dry_run_shows_who_would_move_and_writes_nothing(house, now):
    for cents in (9_999, 10_000, 12_000, 30_000):
        spent(MemberFactory(), cents, now.date())

    answer = house.put(URL, {**BODY, "dry_run": True}).json()

    assert answer["dry_run"] is True
    assert answer["members"] == 4
    moves = [(each["from"], each["to"], each["members"]) for each in answer["moves"]]
    assert moves == [("BASE", "SILVER", 2), ("BASE", "GOLD", 1)]
    assert len(answer["moves"][0]["sample"]) == 2
    assert not LadderVersion.objects.exists()


def test_a_change_makes_a_version_and_the_same_content_none(house):
    first, again = house.put(URL, BODY).json(), house.put(URL, BODY).json()
    changed = house.put(URL, {**BODY, "months": 6}).json()

    assert [each["version"] for each in (first, again, changed)] == [1, 1, 2]
    assert [each["new_version"] for each in (first, again, changed)] == [True, False, True]
    listed = house.get(URL).json()["results"]
    assert [(each["version"], each["in_effect"]) for each in listed] == [(2, True), (1, False)]


def test_a_version_takes_effect_at_its_instant(house, now):
    later = (now + timedelta(days=7)).isoformat()
    house.put(URL, BODY)

    house.put(URL, {**BODY, "months": 6, "effective_from": later})

    listed = house.get(URL).json()["results"]
    assert [(each["version"], each["in_effect"]) for each in listed] == [(2, False), (1, True)]


THRESHOLD = {"tier": "SILVER", "at_least": "100.00"}


@pytest.mark.parametrize(
    ("_case", "change", "pointer"),
    [
        ("in the past", {"effective_from": "2020-01-01T00:00:00Z"}, "/effective_from"),
        ("unknown tier", {"thresholds": [{"tier": "X", "at_least": "1"}]}, "/thresholds/0/tier"),
        ("the base", {"thresholds": [{"tier": "BASE", "at_least": "1"}]}, "/thresholds/0/tier"),
        ("twice", {"thresholds": [THRESHOLD, THRESHOLD]}, "/thresholds/1/tier"),
        ("nothing", {"thresholds": []}, "/thresholds"),
        (
            "not more",
            {"thresholds": [THRESHOLD, {"tier": "GOLD", "at_least": "100.00"}]},
            "/thresholds/1/at_least",
        ),
        (
            "a number for money",
            {"thresholds": [{"tier": "SILVER", "at_least": 5}]},
            "/thresholds/0/at_least",
        ),
        (
            "a tenth of a cent",
            {"thresholds": [{"tier": "SILVER", "at_least": "5.001"}]},
            "/thresholds/0/at_least",
        ),
        ("no months", {"months": None}, "/months"),
        ("too many months", {"months": 61}, "/months"),
        ("a year without validity", {"window": "CALENDAR_YEAR", "months": None}, "/valid"),
        ("hours of validity", {"valid": "PT5H"}, "/valid"),
        ("grace that is none", {"grace": "soon"}, "/grace"),
        ("never with grace", {"downgrade": "NEVER", "grace": "P1M"}, "/downgrade"),
        ("steps without time", {"downgrade": "ONE_DOWN"}, "/downgrade"),
        ("points of spend", {"point_type": "PTS"}, "/point_type"),
        ("spend that is available", {"counts": "AVAILABLE"}, "/counts"),
        ("status of what", {"measure": "STATUS_POINTS"}, "/point_type"),
    ],
)
def test_what_contradicts_itself_is_refused(_case, change, pointer, house):
    body = {**BODY, **change}
    if body["measure"] == "STATUS_POINTS":
        body["thresholds"] = [{"tier": "SILVER", "at_least": 10}]

    response = house.put(URL, body)

    assert response.status_code == 400
    assert [each["pointer"] for each in response.json()["errors"]] == [pointer]
    assert not LadderVersion.objects.exists()


def test_tiers_tell_what_they_take_and_what_is_next(till, program):
    ladder(silver="100.00", gold=None)

    answer = till.get("/program/tiers/").json()

    assert answer["ladder"]["measure"] == "SPEND"
    told = [(each["code"], each["at_least"], each["next"]) for each in answer["results"]]
    assert told == [("BASE", None, "SILVER"), ("SILVER", "100.00", None), ("GOLD", None, None)]


def test_member_info_tells_the_way_to_the_next_tier(till, house, purchase, member):
    ladder()
    buy(till, purchase, "120.00")

    tier = house.get(f"/members/{member.number}/").json()["tier"]

    assert (tier["code"], tier["given"]) == ("SILVER", False)
    assert tier["progress"] == {
        "measure": "SPEND",
        "point_type": None,
        "have": {"amount": "120.00", "currency": "EUR"},
        "next": "GOLD",
        "need": {"amount": "300.00", "currency": "EUR"},
        "missing": {"amount": "180.00", "currency": "EUR"},
        "by": None,
    }


@pytest.mark.django_db(transaction=True)
def test_a_ladder_that_takes_effect_moves_everybody_once(committed_program):
    from loyalty.models import Job
    from promotions import tasks

    ladder()
    start_tier_checks()
    start_tier_checks()

    assert [job.key for job in Job.objects.all()] == ["ladder:1"]
    tasks.apply_ladder(job_id=str(Job.objects.get().pk))
    assert Job.objects.get().status == "DONE"
