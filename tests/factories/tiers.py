from datetime import UTC, datetime
from typing import Any

import msgspec
from django.db import transaction

from loyalty.caller import Actor
from members.ladder import Definition
from members.models import LadderVersion, TierMeasure
from promotions.services.tiers.ladder import write_ladder

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def ladder(
    *, silver: Any = "100.00", gold: Any = "300.00", since: datetime = LONG_AGO, **content: Any
) -> LadderVersion:
    """A ladder that has been in effect for years: by default what was spent in twelve months."""
    thresholds = [
        {"tier": tier, "at_least": amount}
        for tier, amount in (("SILVER", silver), ("GOLD", gold))
        if amount is not None
    ]
    definition = {
        "measure": "SPEND",
        "window": "ROLLING_MONTHS",
        "months": 12,
        "thresholds": thresholds,
        **content,
    }
    if definition["window"] != "ROLLING_MONTHS":
        definition["months"] = None
    with transaction.atomic():
        written = write_ladder(
            msgspec.convert(definition, Definition),
            effective_from=since,
            at=since,
            by=Actor.system("test"),
        )
    return written.version


def measured(member: Any) -> dict[tuple[str, str], int]:
    """Return what is measured of a member, by measure and day; what is zero left out."""
    rows = TierMeasure.objects.filter(member=member).exclude(amount=0)
    return {
        (row.measure, row.day.isoformat()): row.amount for row in rows.order_by("measure", "day")
    }
