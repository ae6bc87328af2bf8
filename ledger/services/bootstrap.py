"""What the ledger needs before anything runs. Safe to repeat."""

from datetime import UTC, datetime
from decimal import Decimal

from django.conf import settings

from ledger.models import PointType, PointValue

FIRST_RATE_FROM = datetime(2000, 1, 1, tzinfo=UTC)


def install() -> None:
    """Make the first point type, worth a cent each, unless the programme has one."""
    if PointType.objects.exists():
        return
    points = PointType.objects.create(code="PTS", name="Points", expiry="P12M/EARNED/MONTH")
    PointValue.objects.create(
        point_type=points,
        currency=settings.LAUREL_CURRENCY,
        value=Decimal("0.01"),
        valid_from=FIRST_RATE_FROM,
    )
