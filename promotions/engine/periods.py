"""The periods that limits count in: local days, weeks from Monday, months, years, for life."""

from datetime import date, timedelta

FOR_LIFE = date(1970, 1, 1)


def start_of(period: str, day: date) -> date:
    """Return the first day of the period that a local day is in."""
    if period == "DAY":
        return day
    if period == "WEEK":
        return day - timedelta(days=day.weekday())
    if period == "MONTH":
        return day.replace(day=1)
    if period == "YEAR":
        return day.replace(month=1, day=1)
    return FOR_LIFE


def next_start(period: str, day: date) -> date:
    """Return the first day of the period after the one that a local day is in; not of LIFE."""
    start = start_of(period, day)
    if period == "DAY":
        return start + timedelta(days=1)
    if period == "WEEK":
        return start + timedelta(days=7)
    if period == "MONTH":
        return (start + timedelta(days=31)).replace(day=1)
    return start.replace(year=start.year + 1)


PERIODS = ("DAY", "WEEK", "MONTH", "YEAR", "LIFE")
