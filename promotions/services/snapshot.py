"""The compiled promotions of this process, kept for one epoch."""

from collections.abc import Iterable
from datetime import datetime
from threading import Lock

import msgspec

from ledger.queries.configuration import Configuration
from promotions.engine.definition import Definition
from promotions.engine.snapshot import Snapshot, Version, compile_version
from promotions.models import Promotion, PromotionStatus, PromotionVersion

_loaded: tuple[int, Snapshot] | None = None
_loading = Lock()


def snapshot_of(settings: Configuration) -> Snapshot:
    """Return the promotions of this configuration's epoch. Costs nothing while it stands.

    A version that goes live anywhere moves the epoch, which each posting reads with its book; so
    all processes agree from the request that follows.
    """
    global _loaded  # noqa: PLW0603 One snapshot a process; swapped whole, never changed.
    loaded = _loaded
    if loaded is None or loaded[0] != settings.epoch:
        with _loading:
            loaded = _loaded = (settings.epoch, load(settings.currency))
    return loaded[1]


def load(currency: str) -> Snapshot:
    """Return all versions that were ever live, compiled. Two queries."""
    statuses: dict[int, list[PromotionStatus]] = {}
    for status in PromotionStatus.objects.order_by("since", "pk"):
        statuses.setdefault(status.promotion_id, []).append(status)
    rows: dict[int, list[PromotionVersion]] = {}
    for row in PromotionVersion.objects.select_related("promotion").order_by("number"):
        rows.setdefault(row.promotion_id, []).append(row)
    versions: list[Version] = []
    for promotion_id, of_promotion in rows.items():
        live = list(_live_periods(statuses.get(promotion_id, [])))
        for row, following in zip(of_promotion, [*of_promotion[1:], None], strict=True):
            until = following.effective_from if following else None
            periods = list(_overlap(live, row.effective_from, until))
            if periods:
                versions.append(compiled(row, periods, currency))
    return Snapshot(versions)


def compiled(
    row: PromotionVersion, live: Iterable[tuple[datetime, datetime | None]], currency: str
) -> Version:
    """Return a stored version as the engine works with it."""
    return compile_version(
        id=row.pk,
        promotion=row.promotion.code,
        number=row.number,
        live=live,
        definition=msgspec.convert(row.definition, Definition),
        currency=currency,
    )


Period = tuple[datetime, datetime | None]


def _live_periods(statuses: list[PromotionStatus]) -> Iterable[Period]:
    for status, following in zip(statuses, [*statuses[1:], None], strict=True):
        if status.status == Promotion.Status.LIVE:
            yield status.since, following.since if following else None


def _overlap(periods: list[Period], start: datetime, end: datetime | None) -> Iterable[Period]:
    for begin, stop in periods:
        first = max(begin, start)
        last = min((x for x in (stop, end) if x is not None), default=None)
        if last is None or first < last:
            yield first, last
