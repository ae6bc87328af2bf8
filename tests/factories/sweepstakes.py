from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from ledger.models import PointType
from promotions.models import Prize, Sweepstake
from promotions.services.rewarding import drawing, sweepstakes

DAY = timedelta(days=1)


def sweepstake(
    code: str = "SPRING", *, publish: bool = True, prizes: int = 1, **content: Any
) -> Sweepstake:
    """A sweepstake that opened yesterday and closes tomorrow: 100 points a ticket, three free."""
    now = datetime.now(UTC)
    fields = {
        "name": code.title(),
        "opens_at": now - DAY,
        "closes_at": now + DAY,
        "draws_at": now + 2 * DAY,
        "point_type": PointType.objects.get(code="PTS"),
        "points": 100,
        "free_per_member": 3,
        **content,
    }
    made = Sweepstake.objects.create(code=code, **fields)
    Prize.objects.create(sweepstake=made, place=1, name="A bicycle", quantity=prizes)
    if publish:
        with transaction.atomic():
            made = sweepstakes.publish(made.pk, at=min(now, fields["closes_at"] - DAY))
    return made


def over(made: Sweepstake) -> datetime:
    """Let its time be over, as if it had begun a week earlier; return an instant after its draw."""
    week = timedelta(days=7)
    Sweepstake.objects.filter(pk=made.pk).update(
        opens_at=made.opens_at - week,
        closes_at=made.closes_at - week,
        draws_at=made.draws_at - week,
    )
    return datetime.now(UTC)


def drawn(made: Sweepstake) -> Any:
    """Draw it now, whatever its time is."""
    at = over(made)
    listed = drawing.fix_list(made.pk, at=at)
    return drawing.record(made.pk, drawing.find_winners(listed), at=at)
