"""The ladder's windows and validities, and that the database has the same windows."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from members.ladder import (
    Definition,
    Measure,
    Threshold,
    Window,
    compile_ladder,
    valid_until,
    window_of,
)

VIENNA = ZoneInfo("Europe/Vienna")
DAYS = st.dates(date(2000, 1, 1), date(2060, 12, 31))


def definition(window=Window.CALENDAR_YEAR, **more):
    thresholds = (Threshold("SILVER", "100"), Threshold("GOLD", "300"))
    return Definition(measure=Measure.SPEND, window=window, thresholds=thresholds, **more)


def ladder(**more):
    return compile_ladder(
        definition(**more),
        number=1,
        effective_from=datetime(2020, 1, 1, tzinfo=UTC),
        tiers=[("BASE", 0), ("SILVER", 1), ("GOLD", 2)],
        point_types=(0,),
        places=2,
        zone=VIENNA,
    )


@pytest.mark.parametrize(
    ("_case", "window", "months", "joined", "day", "first", "until"),
    [
        ("a calendar year", "CALENDAR_YEAR", None, "2020-05-10", "2026-12-31", "2026-01-01", "2027-01-01"),
        ("twelve months to today", "ROLLING_MONTHS", 12, "2020-05-10", "2026-07-01", "2025-07-02", "2026-07-02"),
        ("a month that is shorter", "ROLLING_MONTHS", 1, "2020-05-10", "2026-03-30", "2026-02-28", "2026-03-31"),
        ("the day before the anniversary", "MEMBERSHIP_YEAR", None, "2020-05-10", "2026-05-09", "2025-05-10", "2026-05-10"),
        ("the anniversary", "MEMBERSHIP_YEAR", None, "2020-05-10", "2026-05-10", "2026-05-10", "2027-05-10"),
        ("who joined on leap day", "MEMBERSHIP_YEAR", None, "2024-02-29", "2026-02-28", "2026-02-28", "2027-02-28"),
        ("before leap day itself", "MEMBERSHIP_YEAR", None, "2024-02-29", "2028-02-28", "2027-02-28", "2028-02-29"),
    ],
)  # fmt: skip
def test_a_window_has_its_days(_case, window, months, joined, day, first, until):
    found = window_of(
        definition(Window(window), months=months),
        date.fromisoformat(joined),
        date.fromisoformat(day),
    )

    assert (found.first.isoformat(), found.until.isoformat()) == (first, until)


@pytest.mark.django_db
@given(window=st.sampled_from(Window), months=st.integers(1, 60), joined=DAYS, day=DAYS)
@settings(max_examples=150, deadline=None)
def test_the_database_has_the_same_windows(window, months, joined, day):
    here = window_of(definition(window, months=months), joined, day)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM members_window(%s, %s, %s, %s)", [window, months, joined, day]
        )
        there = cursor.fetchone()

    assert there == (here.first, here.until)
    assert day in here


@pytest.mark.parametrize(
    ("_case", "rules", "day", "until"),
    [
        (
            "as long as the measure",
            {"window": Window.ROLLING_MONTHS, "months": 12},
            "2026-07-01",
            None,
        ),
        ("to the year's end", {"valid": "END_OF_YEAR"}, "2026-07-01", "2026-12-31T23:00"),
        ("to the next year's end", {"valid": "END_OF_NEXT_YEAR"}, "2026-07-01", "2027-12-31T23:00"),
        ("a year from the day", {"valid": "P12M"}, "2026-07-01", "2027-07-01T22:00"),
        (
            "the membership's year",
            {"window": Window.MEMBERSHIP_YEAR, "valid": "END_OF_NEXT_YEAR"},
            "2026-07-01",
            "2028-05-09T22:00",
        ),
    ],
)
def test_a_tier_is_valid_until(_case, rules, day, until):
    found = valid_until(ladder(**rules), date(2020, 5, 10), date.fromisoformat(day))

    assert (found.strftime("%Y-%m-%dT%H:%M") if found else None) == until


def test_a_tier_without_a_threshold_is_passed_over():
    rules = ladder()

    assert rules.reached(99_99).tier == "BASE"
    assert rules.reached(100_00).tier == "SILVER"
    assert rules.next_above(2) is None
    assert rules.below(2).tier == "SILVER"
