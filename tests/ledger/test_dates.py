"""When points are available and when they expire (DESIGN 2.7)."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from ledger.kernel.dates import (
    available_at,
    expires_at,
    last_valid_date,
    parse_duration,
    parse_policy,
    start_of_day,
)

VIENNA = ZoneInfo("Europe/Vienna")


@pytest.mark.parametrize(
    ("_case", "earned", "policy", "expires"),
    [
        ("a month end is clamped", "2026-01-31T12:00", "P1M/EARNED/NONE", "2026-02-28T23:00"),
        ("leap day", "2028-02-29T12:00", "P12M/EARNED/NONE", "2029-02-28T23:00"),
        ("up to the month's end", "2026-01-15T12:00", "P12M/EARNED/MONTH", "2027-01-31T23:00"),
        ("up to the quarter's end", "2026-01-15T12:00", "P1M/EARNED/QUARTER", "2026-03-31T22:00"),
        ("up to the year's end", "2026-01-15T12:00", "P1M/EARNED/YEAR", "2026-12-31T23:00"),
        ("the local day counts", "2026-01-31T23:30", "P1D/EARNED/NONE", "2026-02-02T23:00"),
        (
            "hours count from the instant",
            "2026-01-31T12:00",
            "PT3H/EARNED/NONE",
            "2026-01-31T15:00",
        ),
    ],
)
def test_points_expire_at_the_start_of_the_day_after(_case, earned, policy, expires):
    anchor = datetime.fromisoformat(f"{earned}:00+00:00")

    found = expires_at(anchor, parse_policy(policy), VIENNA)

    assert found == datetime.fromisoformat(f"{expires}:00+00:00")


def test_without_a_policy_points_never_expire():
    assert expires_at(datetime(2026, 1, 1, tzinfo=UTC), parse_policy(""), VIENNA) is None


def test_a_skipped_midnight_starts_with_the_days_first_instant():
    # In São Paulo 2018-11-04 began at 01:00: the clocks jumped at midnight.
    found = start_of_day(date(2018, 11, 4), ZoneInfo("America/Sao_Paulo"))

    assert found == datetime(2018, 11, 4, 3, tzinfo=UTC)


def test_pending_points_are_released_at_the_start_of_a_local_day():
    earned = datetime(2026, 1, 1, 23, 30, tzinfo=UTC)  # already the 2nd in Vienna

    assert available_at(earned, "P14D", VIENNA) == datetime(2026, 1, 15, 23, tzinfo=UTC)


def test_the_last_valid_date_is_the_day_before_an_exclusive_end():
    assert last_valid_date(datetime(2026, 2, 28, 23, tzinfo=UTC), VIENNA) == date(2026, 2, 28)


@pytest.mark.parametrize("text", ["", "P", "PT", "12M", "P1.5M", "P-1D", "P9999M", "P1MT"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match=r"duration|century"):
        parse_duration(text)
