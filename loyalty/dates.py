"""Durations and local days: what every part of the programme counts time in."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

_DURATION = re.compile(
    r"P(?=\d|T\d)(?:(?P<years>\d{1,3})Y)?(?:(?P<months>\d{1,4})M)?(?:(?P<weeks>\d{1,4})W)?"
    r"(?:(?P<days>\d{1,5})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,5})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,8})S)?)?"
)


@dataclass(frozen=True, slots=True)
class Duration:
    """An ISO 8601 duration: a calendar part, and a clock part where it has one."""

    calendar: relativedelta
    clock: timedelta


@lru_cache(maxsize=256)
def parse_duration(text: str) -> Duration:
    """Return an ISO 8601 duration such as `P12M`, `P14D` or `PT3S`.

    :raises ValueError: if it is not one, or longer than a century.
    """
    match = _DURATION.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not an ISO 8601 duration")
    parts = {name: int(value) for name, value in match.groupdict().items() if value}
    clock = timedelta(**{name: parts.pop(name, 0) for name in ("hours", "minutes", "seconds")})
    calendar = relativedelta(**parts)  # type: ignore[arg-type]
    if date(2000, 1, 1) + calendar > date(2100, 1, 1) or clock > timedelta(days=36525):
        raise ValueError(f"{text!r} is longer than a century")
    return Duration(calendar, clock)


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a local day, also where its midnight is skipped by DST.

    A skipped wall time, read with the offset before the jump, is the instant of the jump moved
    on by as much as was skipped; so we step back to the first instant that is of this day.
    """
    midnight = datetime.combine(day, time.min, tzinfo=zone)
    instant = datetime.fromtimestamp(midnight.timestamp(), tz=zone)
    if instant.date() == day and instant.time() == time.min:
        return instant.astimezone(_UTC)
    low = midnight.timestamp() - 86400
    high = midnight.timestamp() + 86400
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, tz=zone).date() < day:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, tz=_UTC)


_UTC = ZoneInfo("UTC")
