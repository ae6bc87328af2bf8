"""Event types, kept in memory by each process for one configuration."""

from collections.abc import Mapping
from datetime import datetime
from threading import Lock
from typing import Any, cast
from zoneinfo import ZoneInfo

import msgspec

from ledger.kernel.dates import available_at
from ledger.queries.configuration import Configuration
from loyalty.dates import start_of_day
from promotions.engine.periods import next_start
from promotions.models import EventType


class EventTypeFacts(msgspec.Struct, frozen=True):
    """An event type as events are taken by it; without `partners`, from all of them."""

    code: str
    schema: Mapping[str, Any]
    partners: frozenset[int]
    cooldown: str
    once_per: str
    backdated: bool
    two_sided: bool
    own: bool

    def rests_until(self, rewarded: datetime, zone: ZoneInfo) -> tuple[str, datetime | None] | None:
        """Return why and until when no other event is rewarded after one; None if there is no rest.

        Only a cooldown with a time part counts hours; another is over at the start of a local day.
        A rest without an end is for life.
        """
        rests: list[tuple[datetime, str]] = []
        if self.once_per == EventType.OncePer.LIFE:
            return "ONCE_PER_LIFE", None
        if self.once_per:
            following = next_start(self.once_per, rewarded.astimezone(zone).date())
            rests.append((start_of_day(following, zone), f"ONCE_PER_{self.once_per}"))
        if self.cooldown:
            rests.append((available_at(rewarded, self.cooldown, zone), "COOLDOWN"))
        if not rests:
            return None
        end, reason = max(rests)
        return reason, end


_loaded: tuple[Configuration, Mapping[str, EventTypeFacts]] | None = None
_loading = Lock()


def event_types(settings: Configuration) -> Mapping[str, EventTypeFacts]:
    """Return the active event types by code. Costs nothing while the configuration stands."""
    global _loaded  # noqa: PLW0603 One list a process; swapped whole, never changed.
    loaded = _loaded
    if loaded is None or loaded[0] is not settings:
        with _loading:
            loaded = _loaded = (settings, _load())
    return loaded[1]


def _load() -> dict[str, EventTypeFacts]:
    return {
        row.code: EventTypeFacts(
            code=row.code,
            schema=row.schema,
            partners=frozenset(partner.pk for partner in row.partners.all()),
            cooldown=row.cooldown,
            once_per=row.once_per,
            backdated=row.backdated,
            two_sided=row.two_sided,
            own=row.own,
        )
        for row in EventType.objects.filter(active=True).prefetch_related("partners")
    }


def event_types_page(*, after: str, at_most: int, partner_id: int | None) -> list[EventType]:
    """Return active event types by code, after a cursor's; with a partner, those it may send."""
    rows = EventType.objects.filter(active=True, code__gt=after)
    if partner_id is not None:
        unnamed = rows.filter(partners=None, own=False)
        rows = (unnamed | rows.filter(partners=partner_id)).distinct()
    found = rows.prefetch_related("partners").order_by("code")[:at_most]
    return cast(list[EventType], list(found))
