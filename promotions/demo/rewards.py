"""The demo's vouchers and sweepstakes, and the promotions that give them."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from ledger.models import PointType
from promotions.models import Prize, Sweepstake
from promotions.services.rewarding import sweepstakes
from vouchers.models import VoucherType
from vouchers.services.stock import set_stock

COFFEE_STOCK = 2_000

PROMOTIONS: dict[str, dict[str, Any]] = {
    "COFFEE-CUP": {
        "name": "A cup of coffee for 20 dollars of coffee",
        "award": {"kind": "VOUCHER", "voucher_type": "COFFEE", "quantity": 1},
        "lines": {"include": {"category": ["COFFEE"]}},
        "minimum": {"amount": "20.00"},
        "texts": {"en": {"title": "A cup on us", "body": "Buy coffee for 20 dollars at once."}},
    },
    "LUCKY-BASKET": {
        "name": "A ticket for the trip with 100 dollars",
        "award": {"kind": "TICKET", "sweepstake": "TRIP", "quantity": 1},
        "minimum": {"amount": "100.00"},
        "texts": {"en": {"title": "Win a trip", "body": "A ticket with every big basket."}},
    },
    "LUCKY-SNACK": {
        "name": "A ticket for the hampers with 10 dollars of snacks",
        "award": {"kind": "TICKET", "sweepstake": "HAMPERS", "quantity": 1},
        "lines": {"include": {"category": ["BAG-SNACKS", "CHIPS-SNACKS"]}},
        "minimum": {"amount": "10.00"},
    },
}


def load_rewards(*, at: datetime, today: datetime) -> None:
    """Make a voucher type and two sweepstakes, open since `at`, unless they are there; a step.

    One is open for a month still; the other closed a week ago, so that the timetable draws it.
    """
    assert connection.in_atomic_block
    kind, new = VoucherType.objects.get_or_create(
        code="COFFEE",
        defaults={
            "name": "A cup of coffee",
            "value": Decimal("3.00"),
            "currency": "USD",
            "lives": "P3M",
            "points": 300,
            "point_type": PointType.objects.get(code="PTS"),
        },
    )
    if new:
        set_stock(kind, COFFEE_STOCK)
    month, week = timedelta(days=30), timedelta(weeks=1)
    _sweepstake(
        "TRIP",
        {
            "name": "A week in the mountains",
            "text": "A ticket with every basket of 100 dollars, or for 250 points.",
            "closes_at": today + month,
            "draws_at": today + month,
            "points": 250,
            "point_type": PointType.objects.get(code="PTS"),
            "free_per_member": 1,
            "at_most": 50,
            "translations": {"de": {"name": "Eine Woche in den Bergen"}},
        },
        [(1, "A week for two in the mountains"), (10, "A hundred dollars for your groceries")],
        at=at,
    )
    _sweepstake(
        "HAMPERS",
        {
            "name": "Five hampers",
            "text": "A ticket with snacks for 10 dollars.",
            "closes_at": today - week,
            "draws_at": today - week,
        },
        [(5, "A hamper of snacks")],
        at=at,
    )


def _sweepstake(
    code: str, content: dict[str, Any], prizes: list[tuple[int, str]], *, at: datetime
) -> None:
    made, new = Sweepstake.objects.get_or_create(code=code, defaults={"opens_at": at, **content})
    if not new:
        return
    Prize.objects.bulk_create(
        Prize(sweepstake=made, place=place, quantity=quantity, name=name)
        for place, (quantity, name) in enumerate(prizes, 1)
    )
    sweepstakes.publish(made.pk, at=at)
