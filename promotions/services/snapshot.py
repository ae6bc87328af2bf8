"""The compiled promotions of this process, kept for one epoch."""

from collections.abc import Iterable
from datetime import datetime
from threading import Lock

import msgspec

from ledger.queries.configuration import Configuration
from loyalty.models import MasterEntity, Program
from promotions.engine.definition import Definition
from promotions.engine.facts import Schemas
from promotions.engine.snapshot import Snapshot
from promotions.engine.versions import Version, compile_version
from promotions.models import EventType, Promotion, PromotionStatus, PromotionVersion

# What Laurel itself says of an event with two sides.
ROLE = {"role": {"type": "CHOICE", "choices": ["REFERRED", "REFERRER"]}}

_loaded: tuple[Configuration, Snapshot] | None = None
_loading = Lock()


def snapshot_of(settings: Configuration) -> Snapshot:
    """Return the promotions of this configuration's epoch. Costs nothing while it stands.

    A version that goes live anywhere moves the epoch, which each posting reads with its book; so
    all processes agree from the request that follows.
    """
    global _loaded  # noqa: PLW0603 One snapshot a process; swapped whole, never changed.
    loaded = _loaded
    if loaded is None or loaded[0].epoch != settings.epoch:
        with _loading:
            loaded = _loaded = (settings, load(settings.currency))
    return loaded[1]


def loaded_snapshot() -> tuple[Configuration, Snapshot] | None:
    """Return what this process has loaded last, whether or not it still stands."""
    return _loaded


def load(currency: str) -> Snapshot:
    """Return all versions that were ever live, compiled. Five queries."""
    schemas = load_schemas()
    statuses: dict[int, list[PromotionStatus]] = {}
    for status in PromotionStatus.objects.order_by("since", "pk"):
        statuses.setdefault(status.promotion_id, []).append(status)
    rows: dict[int, list[PromotionVersion]] = {}
    for row in PromotionVersion.objects.select_related("promotion").order_by("number"):
        rows.setdefault(row.promotion_id, []).append(row)
    versions: list[Version] = []
    for promotion_id, of_promotion in rows.items():
        live = list(_live_periods(statuses.get(promotion_id, [])))
        for place, row in enumerate(of_promotion):
            later = [each.effective_from for each in of_promotion[place + 1 :]]
            periods = list(_overlap(live, row.effective_from, min(later, default=None)))
            if periods:
                versions.append(compiled(row, periods, currency, schemas))
    return Snapshot(versions)


def compiled(
    row: PromotionVersion,
    live: Iterable[tuple[datetime, datetime | None]],
    currency: str,
    schemas: Schemas,
) -> Version:
    """Return a stored version as the engine works with it."""
    return compile_version(
        id=row.pk,
        promotion=row.promotion.code,
        number=row.number,
        live=live,
        definition=msgspec.convert(row.definition, Definition),
        currency=currency,
        schemas=schemas,
    )


def load_schemas() -> Schemas:
    """Return the attributes that the programme defines: of products, members and events."""
    product = MasterEntity.objects.filter(code="product").values_list("schema", flat=True).first()
    member = Program.objects.values_list("member_schema", flat=True).first()
    events = {
        code: {**schema, **(ROLE if two_sided else {})}
        for code, schema, two_sided in EventType.objects.values_list("code", "schema", "two_sided")
    }
    return Schemas(product=product or {}, member=member or {}, events=events)


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
