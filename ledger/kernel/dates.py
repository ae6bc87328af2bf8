"""When points become available and when they expire (DESIGN 2.7)."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

ROUND_UP = ("NONE", "DAY", "MONTH", "QUARTER", "YEAR")
ANCHORS = ("EARNED", "AVAILABLE", "ACTIVITY")

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


@dataclass(frozen=True, slots=True)
class ExpiryPolicy:
    """How long points live; its text form, such as `P12M/EARNED/MONTH`, is kept on each lot."""

    after: str
    anchor: str
    round_up: str

    def __str__(self) -> str:
        return f"{self.after}/{self.anchor}/{self.round_up}"

    @property
    def follows_activity(self) -> bool:
        return self.anchor == "ACTIVITY"


@lru_cache(maxsize=256)
def parse_policy(text: str) -> ExpiryPolicy | None:
    """Return the expiry policy that `text` writes; the empty text means that points never expire.

    :raises ValueError: if the text is not a policy.
    """
    if not text:
        return None
    after, anchor, round_up = text.split("/")
    parse_duration(after)
    if anchor not in ANCHORS or round_up not in ROUND_UP:
        raise ValueError(f"{text!r} is not an expiry policy")
    return ExpiryPolicy(after, anchor, round_up)


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


def expires_at(anchor: datetime, policy: ExpiryPolicy | None, zone: ZoneInfo) -> datetime | None:
    """Return the exclusive instant at which points with this anchor expire; None for never.

    It is the start of the local day after (local date of the anchor + duration, month ends
    clamped), rounded up to the policy's period. Only a duration with a time part counts hours.
    """
    if policy is None:
        return None
    duration = parse_duration(policy.after)
    if duration.clock:
        return anchor + duration.calendar + duration.clock
    day = anchor.astimezone(zone).date() + duration.calendar
    return start_of_day(_round_up(day, policy.round_up) + timedelta(days=1), zone)


def available_at(anchor: datetime, pending: str | None, zone: ZoneInfo) -> datetime:
    """Return when points earned at `anchor` may be spent: at once, or after the pending period."""
    if not pending:
        return anchor
    duration = parse_duration(pending)
    if duration.clock:
        return anchor + duration.calendar + duration.clock
    return start_of_day(anchor.astimezone(zone).date() + duration.calendar, zone)


def last_valid_date(instant: datetime | None, zone: ZoneInfo) -> date | None:
    """Return the last local day before an exclusive end, as a person reads it."""
    if instant is None:
        return None
    return (instant - timedelta(microseconds=1)).astimezone(zone).date()


def _round_up(day: date, period: str) -> date:
    """Return the last day of the month, quarter or year that `day` is in."""
    if period in ("NONE", "DAY"):
        return day
    last_month = {"MONTH": day.month, "QUARTER": (day.month + 2) // 3 * 3, "YEAR": 12}[period]
    return date(day.year, last_month, monthrange(day.year, last_month)[1])
