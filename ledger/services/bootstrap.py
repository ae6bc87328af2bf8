"""What the ledger needs before anything runs. Safe to repeat."""

from datetime import UTC, datetime
from decimal import Decimal

from django.conf import settings

from ledger.models import JournalAccount, PointType, PointValue

FIRST_RATE_FROM = datetime(2000, 1, 1, tzinfo=UTC)


# A chart of accounts to begin with; the programme puts its own numbers in the back office.
ACCOUNTS = {
    "LIABILITY": ("2400", "Points outstanding"),
    "EARNED": ("6400", "Points issued"),
    "REVERSED": ("6400", "Points issued"),
    "REDEEMED": ("2410", "Points redeemed"),
    "REDEMPTION_REVERSED": ("2410", "Points redeemed"),
    "EXCHANGED": ("2420", "Points exchanged"),
    "EXCHANGE_REVERSED": ("2420", "Points exchanged"),
    "EXPIRED": ("4400", "Breakage"),
    "ADJUSTED": ("6410", "Adjustments of points"),
    "TRANSFERRED": ("2400", "Points outstanding"),
    "REVALUED": ("6420", "Revaluation of points"),
    "ROUNDING": ("6430", "Rounding differences"),
}


def install() -> None:
    """Make the first accounts and the first point type, worth a cent each, unless there are any."""
    JournalAccount.objects.bulk_create(
        [
            JournalAccount(movement=movement, account=account, name=name)
            for movement, (account, name) in ACCOUNTS.items()
        ],
        ignore_conflicts=True,
    )
    if PointType.objects.exists():
        return
    points = PointType.objects.create(code="PTS", name="Points", expiry="P12M/EARNED/MONTH")
    PointValue.objects.create(
        point_type=points,
        currency=settings.LAUREL_CURRENCY,
        value=Decimal("0.01"),
        valid_from=FIRST_RATE_FROM,
    )
