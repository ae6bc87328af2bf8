"""Tickets of sweepstakes: numbered without gaps, within a member's maximum, while it is open.

Whoever changes tickets holds the sweepstake's row, the last in the order of locks, sweepstakes by
id. So no ticket comes or goes once the list is fixed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Count, QuerySet

from ledger.queries.configuration import configuration
from loyalty import sealing
from promotions.engine.draw import pseudonym_of
from promotions.errors import TicketsListed
from promotions.models import Sweepstake, Ticket
from promotions.queries.entrants import Entrant, entrants, forbids

PURPOSE = "sweepstake"


@dataclass(slots=True, kw_only=True)
class TicketGift:
    """Tickets that a promotion gives a member whose book is locked.

    `tickets` are the numbers, and `short` says why they are fewer than `quantity`.
    """

    sweepstake: str
    member_id: int
    partner_id: int
    quantity: int
    origin_id: UUID
    at: datetime
    tickets: list[int] = field(default_factory=list)
    short: str | None = None


def locked(keys: Iterable[int]) -> dict[int, Sweepstake]:
    """Lock sweepstakes by id and return them; a step, after all other locks."""
    assert connection.in_atomic_block
    rows = Sweepstake.objects.select_for_update(of=("self",)).filter(pk__in=set(keys))
    return {row.pk: row for row in rows.select_related("point_type").order_by("pk")}


def held_by(sweepstake_id: int, member_ids: Iterable[int]) -> dict[int, int]:
    """Return how many tickets members hold; who has none is left out. One query."""
    rows = Ticket.objects.filter(
        sweepstake=sweepstake_id, member__in=set(member_ids), voided_at=None
    )
    return dict(rows.order_by().values_list("member_id").annotate(held=Count("pk")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Tickets for one member, and where they come from."""

    member_id: int
    partner_id: int
    quantity: int
    source: str
    origin_id: UUID
    at: datetime


def issue(sweepstake: Sweepstake, entries: Sequence[Entry]) -> list[list[int]]:
    """Give tickets of a locked sweepstake the next numbers; return these, by entry; a step."""
    assert connection.in_atomic_block
    key, number = key_of(sweepstake), sweepstake.last_number
    rows, given = [], []
    for entry in entries:
        numbers = list(range(number + 1, number + 1 + entry.quantity))
        number += entry.quantity
        given.append(numbers)
        pseudonym = pseudonym_of(key, entry.member_id)
        rows += [
            Ticket(
                sweepstake=sweepstake,
                number=each,
                member_id=entry.member_id,
                pseudonym=pseudonym,
                source=entry.source,
                origin_id=entry.origin_id,
                partner_id=entry.partner_id,
                at=entry.at,
            )
            for each in numbers
        ]
    if rows:
        Ticket.objects.bulk_create(rows)
        sweepstake.last_number = number
        Sweepstake.objects.filter(pk=sweepstake.pk).update(last_number=number)
    return given


def key_of(sweepstake: Sweepstake) -> bytes:
    """Return the key of a published sweepstake's pseudonyms; it is never told."""
    assert sweepstake.key_sealed is not None, "there are tickets once it is published"
    return bytes.fromhex(sealing.unseal(sweepstake.key_sealed, purpose=PURPOSE))


def give(gifts: Sequence[TicketGift]) -> None:
    """Give what promotions award, as far as sweepstakes are open and members may have more; a step.

    Few statements for each sweepstake, however many gifts there are. One that is closed is left
    unlocked: sales do not wait for a draw.
    """
    assert connection.in_atomic_block
    if not gifts:
        return
    wanted = {gift.sweepstake for gift in gifts}
    known = {row.code: row for row in Sweepstake.objects.filter(code__in=wanted)}
    coming: dict[int, list[TicketGift]] = {}
    for gift in gifts:
        row = known.get(gift.sweepstake)
        if row is not None and row.open_at(gift.at):
            coming.setdefault(row.pk, []).append(gift)
        else:
            gift.short = "SWEEPSTAKE_CLOSED"
    for key, row in locked(coming).items() if coming else ():
        _give_of(row, coming[key])


def _give_of(sweepstake: Sweepstake, gifts: Sequence[TicketGift]) -> None:
    members = {gift.member_id for gift in gifts}
    held = held_by(sweepstake.pk, members) if sweepstake.at_most is not None else {}
    people = entrants(members) if sweepstake.min_age or sweepstake.countries else {}
    zone = configuration().zone
    entries = []
    for gift in gifts:
        share = _share(sweepstake, gift, held, people, zone)
        held[gift.member_id] = held.get(gift.member_id, 0) + share
        entries.append(
            Entry(
                member_id=gift.member_id,
                partner_id=gift.partner_id,
                quantity=share,
                source=Ticket.Source.PROMOTION,
                origin_id=gift.origin_id,
                at=gift.at,
            )
        )
    for gift, numbers in zip(gifts, issue(sweepstake, entries), strict=True):
        gift.tickets = numbers


def _share(
    sweepstake: Sweepstake,
    gift: TicketGift,
    held: Mapping[int, int],
    people: Mapping[int, Entrant],
    zone: ZoneInfo,
) -> int:
    """Return how many tickets of a gift there may be; where fewer, the gift says why."""
    if not sweepstake.open_at(gift.at):  # It was closed while we waited for its row.
        gift.short = "SWEEPSTAKE_CLOSED"
        return 0
    who, on = people.get(gift.member_id), _day(gift.at, zone)
    if who is not None and forbids(sweepstake, who, on):
        gift.short = "NOT_ELIGIBLE"
        return 0
    if sweepstake.at_most is None:
        return gift.quantity
    share = max(0, min(gift.quantity, sweepstake.at_most - held.get(gift.member_id, 0)))
    if share < gift.quantity:
        gift.short = "TICKET_LIMIT"
    return share


def _day(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


@dataclass(frozen=True, slots=True)
class TakenTickets:
    """Tickets of one sale that were taken back: VOID, or LISTED where the list was fixed before."""

    numbers: list[int]
    treated: str


def take_back(
    sale: UUID, quantities: Mapping[int, tuple[str, int]], *, at: datetime
) -> dict[int, TakenTickets]:
    """Take back so many of a sale's tickets of these sweepstakes, the last ones first; a step.

    Tickets stay once the list is fixed, and are told as LISTED. What is answered has the keys of
    `quantities`.
    """
    assert connection.in_atomic_block
    codes = {code for code, _ in quantities.values()}
    keys = list(Sweepstake.objects.filter(code__in=codes).values_list("pk", flat=True))
    rows = {row.code: row for row in locked(keys).values()}
    taken = {}
    for name, (code, quantity) in quantities.items():
        mine = Ticket.objects.filter(sweepstake=rows[code], origin_id=sale, voided_at=None)
        last = list(mine.order_by("-number").values_list("number", flat=True)[:quantity])
        if rows[code].listed_at is None:
            mine.filter(number__in=last).update(voided_at=at)
        treated = "VOID" if rows[code].listed_at is None else "LISTED"
        taken[name] = TakenTickets(sorted(last), treated)
    return taken


def void_of(origin_id: UUID, *, at: datetime) -> list[Ticket]:
    """Void the tickets that a redemption bought; a step. Return them.

    :raises TicketsListed: if they take part in a draw by now.
    """
    assert connection.in_atomic_block
    rows = list(Ticket.objects.filter(origin_id=origin_id, voided_at=None).order_by("pk"))
    for row in locked(ticket.sweepstake_id for ticket in rows).values() if rows else ():
        if row.listed_at is not None:
            raise TicketsListed(listed_at=row.listed_at)
    Ticket.objects.filter(pk__in=[row.pk for row in rows], voided_at=None).update(voided_at=at)
    return rows


def take_over(giver_id: int, taker_id: int) -> dict[str, list[int]]:
    """Give the taker of a merge the giver's tickets; return their keys; a step.

    Where the list is not fixed yet, they stand under the taker's pseudonym from now on.
    """
    return {"tickets": _move(Ticket.objects.filter(member=giver_id), taker_id)}


def give_back(moved: Mapping[str, Any], *, giver_id: int, taker_id: int) -> dict[str, int]:
    """Return the tickets that a merge moved to whom they came from; a step."""
    mine = Ticket.objects.filter(pk__in=moved.get("tickets", []), member=taker_id)
    return {"tickets": len(_move(mine, giver_id))}


def _move(rows: QuerySet[Ticket], member_id: int) -> list[int]:
    keys = set(rows.values_list("sweepstake_id", flat=True))
    moved: list[int] = []
    for sweepstake in locked(keys).values() if keys else ():
        mine = list(rows.filter(sweepstake=sweepstake).values_list("pk", flat=True))
        changed: dict[str, Any] = {"member_id": member_id}
        if sweepstake.listed_at is None:
            changed["pseudonym"] = pseudonym_of(key_of(sweepstake), member_id)
        Ticket.objects.filter(pk__in=mine).update(**changed)
        moved += mine
    return moved
