"""The demo's promotions as they go live: once, and as they then were."""

from datetime import datetime
from typing import Any

from ledger.models import Transaction
from promotions.models import Promotion
from promotions.services.writing.authoring import write_promotion


def put_live(code: str, definition: dict[str, Any], *, at: datetime, today: datetime) -> None:
    """Put a promotion live from `at` on, unless it is there; a step.

    The demo writes into the past, which nobody else can. One that purchases may have seen stays
    as it was, and one that is new to a demo with purchases goes live `today`: so all of them come
    out again as they did.
    """
    if Promotion.objects.filter(code=code).exists():
        return
    since = today if Transaction.objects.exists() else at
    write_promotion(code, definition, status="LIVE", at=since, by="demo")
