"""The periods of subscriptions: pure arithmetic of local days.

As with points (DESIGN 2.7), a period ends with the start of the local day after the day that the
duration leads to, month ends clamped; only a duration with a time part counts hours.
"""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

from loyalty.dates import parse_duration, start_of_day


def end_after(anchor: datetime, duration: str, times: int, zone: ZoneInfo) -> datetime:
    """Return the exclusive end of `times` durations from an anchor.

    Counted from the anchor each time, so that the 31st of January leads to the end of February and
    then to the 31st of March.
    """
    parsed = parse_duration(duration)
    if parsed.clock:
        return anchor + parsed.calendar * times + parsed.clock * times
    day = anchor.astimezone(zone).date() + parsed.calendar * times
    return start_of_day(day + timedelta(days=1), zone)


def before(instant: datetime, duration: str) -> datetime:
    """Return the instant a duration before another."""
    parsed = parse_duration(duration)
    return instant - parsed.calendar - parsed.clock


def after(instant: datetime, duration: str) -> datetime:
    """Return the instant a duration after another."""
    parsed = parse_duration(duration)
    return instant + parsed.calendar + parsed.clock


def share_left(price: Decimal, period_from: datetime, period_to: datetime, at: datetime) -> Decimal:
    """Return the part of a period's price that is not used up at `at`: by time, half even."""
    left = max(timedelta(0), period_to - max(at, period_from))
    share = (
        price * Decimal(left.total_seconds()) / Decimal((period_to - period_from).total_seconds())
    )
    return share.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)
