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


PERIODS = ("DAY", "WEEK", "MONTH", "YEAR", "LIFE")
