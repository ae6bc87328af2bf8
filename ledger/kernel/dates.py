"""When points become available and when they expire (DESIGN 2.7)."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from loyalty.dates import parse_duration, start_of_day

ROUND_UP = ("NONE", "DAY", "MONTH", "QUARTER", "YEAR")
ANCHORS = ("EARNED", "AVAILABLE", "ACTIVITY")


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
    return _end_of(anchor.astimezone(zone).date(), policy, zone)


# A day's sales share a few policies: working each out once is a quarter of an earn's arithmetic.
@lru_cache(maxsize=4096)
def _end_of(anchor: date, policy: ExpiryPolicy, zone: ZoneInfo) -> datetime:
    """Return the start of the local day after the last on which such points may be spent."""
    day = anchor + parse_duration(policy.after).calendar
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
