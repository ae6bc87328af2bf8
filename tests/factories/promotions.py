from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from promotions.models import PromotionVersion
from promotions.services.writing.authoring import put_promotion, write_promotion

LONG_AGO = timedelta(days=400)


def promotion(
    code: str = "BASE", *, at: datetime | None = None, **content: Any
) -> PromotionVersion:
    """A promotion that has been live for a year: by default one point for each whole euro."""
    definition = {
        "name": code.title(),
        "award": {"kind": "PER_AMOUNT", "type": "PTS", "points": 1, "per": "1.00"},
        **content,
    }
    since = at or datetime.now(UTC) - LONG_AGO
    with transaction.atomic():
        return write_promotion(code, definition, status="LIVE", at=since).version


__all__ = ["promotion", "put_promotion"]
