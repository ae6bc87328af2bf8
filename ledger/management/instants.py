"""How commands take days and instants."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from loyalty.dates import start_of_day


def instant_of(text: str, zone: ZoneInfo) -> datetime:
    """Return an instant (`2026-10-01T12:00:00Z`), or the first one of a local day (`2026-10-01`).

    :raises ValueError: if the text is neither.
    """
    if len(text) == len("2026-10-01"):
        return start_of_day(date.fromisoformat(text), zone)
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} names no offset, such as 2026-10-01T12:00:00+02:00")
    return instant
