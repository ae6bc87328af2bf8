"""Sweepstakes as they are listed, and what a member holds of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count, Q, QuerySet

from promotions.engine.draw import LIST_HEADER, line_of
from promotions.models import Sweepstake, Ticket, Winner
from promotions.queries.entrants import Entrant, keeps_out

Status = Sweepstake.Status
LINES_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Filter:
    """Which sweepstakes: by status at an instant; `hidden` ones are for those who write them."""

    at: datetime
    status: str | None = None
    hidden: bool = False


def published(*, hidden: bool) -> QuerySet[Sweepstake]:
    """Return what may be seen, with prizes and draws; three queries more when it is read."""
    rows = Sweepstake.objects.exclude(published_at=None)
    if not hidden:
        rows = rows.filter(visible=True)
    return rows.select_related("point_type", "draw").prefetch_related("prizes__voucher_type")


def sweepstakes_page(
    wanted: Filter,
    *,
    after: str,
    at_most: int,
    who: Entrant | None = None,
    on: date | None = None,
) -> list[Sweepstake]:
    """Return sweepstakes by code, after a cursor's.

    With `who`, those that are open to this member, and those it holds tickets of.
    """
    rows = published(hidden=wanted.hidden).filter(code__gt=after).order_by("code")
    if wanted.status is not None:
        rows = rows.filter(_standing_at(wanted.status, wanted.at))
    if who is None or on is None:
        return list(rows[:at_most])
    mine = set(
        Ticket.objects.filter(member=who.id, voided_at=None).values_list("sweepstake_id", flat=True)
    )
    found: list[Sweepstake] = []
    # There are some dozens of sweepstakes, not thousands: who may enter is judged one by one.
    for row in rows:
        if len(found) == at_most:
            break
        if row.pk in mine or keeps_out(row, who, on) is None:
            found.append(row)
    return found


def _standing_at(status: str, at: datetime) -> Q:
    """Return the condition that a published sweepstake has this status at an instant."""
    if status == Status.WITHDRAWN:
        return Q(withdrawn_at__isnull=False)
    if status == Status.DRAWN:
        return Q(draw__isnull=False)
    standing = Q(withdrawn_at=None, draw=None)
    if status == Status.CLOSED:
        return standing & (Q(closes_at__lte=at) | Q(listed_at__isnull=False))
    standing &= Q(listed_at=None, closes_at__gt=at)
    return standing & (Q(opens_at__gt=at) if status == Status.UPCOMING else Q(opens_at__lte=at))


def standing(sweepstake: Sweepstake, at: datetime) -> str:
    """Return a sweepstake's status at an instant, its draw included."""
    if sweepstake.withdrawn_at is None and getattr(sweepstake, "draw", None) is not None:
        return Status.DRAWN
    return sweepstake.status_at(at)


@dataclass(frozen=True, slots=True)
class Held:
    """What a member holds of one sweepstake: its tickets that are valid, free ones among them."""

    tickets: int = 0
    free: int = 0


def held_of(member_id: int, sweepstake_ids: Iterable[int]) -> dict[int, Held]:
    """Return what a member holds, by sweepstake. One query."""
    rows = Ticket.objects.filter(
        member=member_id, sweepstake__in=list(sweepstake_ids), voided_at=None
    )
    counted = (
        rows.order_by()
        .values_list("sweepstake_id")
        .annotate(tickets=Count("pk"), free=Count("pk", filter=Q(source=Ticket.Source.FREE)))
    )
    return {key: Held(tickets, free) for key, tickets, free in counted}


def totals_of(sweepstake_ids: Iterable[int]) -> dict[int, int]:
    """Return how many valid tickets there are, by sweepstake. One query."""
    rows = Ticket.objects.filter(sweepstake__in=list(sweepstake_ids), voided_at=None)
    return dict(rows.order_by().values_list("sweepstake_id").annotate(total=Count("pk")))


def numbers_of(sweepstake: Sweepstake, member_id: int, *, at_most: int) -> list[int]:
    """Return a member's valid tickets of a sweepstake, the first ones. One query."""
    rows = Ticket.objects.filter(sweepstake=sweepstake, member=member_id, voided_at=None)
    return list(rows.order_by("number").values_list("number", flat=True)[:at_most])


def winners_of(draw_ids: Iterable[int]) -> dict[int, list[Winner]]:
    """Return who won, by draw, in the order of the draw. One query."""
    found: dict[int, list[Winner]] = {}
    rows = Winner.objects.filter(draw__in=list(draw_ids)).select_related("prize", "ticket")
    for row in rows.order_by("position"):
        found.setdefault(row.draw_id, []).append(row)
    return found


def list_lines(sweepstake: Sweepstake) -> Iterator[bytes]:
    """Yield the list that was drawn from, as it is published, some thousand lines at a time."""
    yield LIST_HEADER.encode()
    rows = Ticket.objects.filter(sweepstake=sweepstake, voided_at=None).order_by("number")
    last = 0
    while True:
        page = list(rows.filter(number__gt=last).values_list("number", "pseudonym")[:LINES_AT_ONCE])
        if not page:
            return
        last = page[-1][0]
        yield "".join(line_of(*row) for row in page).encode()
