"""The worked tables of docs/tiers.md, executed."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from loyalty.dates import start_of_day
from members.ladder import Downgrade, Held, Window, review, window_of
from tests.members.test_ladder import VIENNA, definition, ladder

PAGE = Path(__file__).parents[2] / "docs" / "tiers.md"
AT = datetime(2026, 7, 1, 12, tzinfo=UTC)
JOINED = date(2020, 5, 10)


def table(first_heading):
    lines = PAGE.read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {first_heading} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    assert rows
    return rows


@pytest.mark.parametrize(("window", "months", "day", "first", "until"), table("Window"))
def test_windows_are_as_the_page_says(window, months, day, first, until):
    rules = definition(Window(window), months=int(months) if months else None)

    found = window_of(rules, JOINED, date.fromisoformat(day))

    assert (found.first.isoformat(), found.until.isoformat()) == (first, until)


@pytest.mark.parametrize(
    ("held", "until", "has", "downgrade", "valid", "grace", "then", "then_until"), table("Held")
)
def test_the_review_decides_as_the_page_says(
    held, until, has, downgrade, valid, grace, then, then_until
):
    rules = ladder(
        window=Window.ROLLING_MONTHS,
        months=12,
        downgrade=Downgrade(downgrade),
        valid=valid or None,
        grace=grace or None,
    )
    end = start_of_day(date.fromisoformat(until), VIENNA) if until else None

    found = review(
        rules, Held(held, None, end), int(has) * 100, joined=JOINED, today=AT.date(), at=AT
    )

    day = found.until and found.until.astimezone(VIENNA).date()
    assert (found.tier, day and day.isoformat()) == (then, then_until or None)
    assert found.since in (None, AT)
