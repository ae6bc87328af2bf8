"""The draw: the list of tickets is fixed, the seed is told, and both make the winners.

Each step may be run again: it finds what it did before, and does not do it twice. So a draw that
was killed in the middle ends with the same winners.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import uuid_utils.compat
from django.db import connection

from ledger.services import posting
from loyalty import sealing
from loyalty.caller import Actor
from loyalty.services import outbox
from loyalty.services.use_case import use_case
from members.services import activity
from partners.queries import house
from promotions.engine.draw import ALGORITHM, digest_of_list, winners
from promotions.errors import SweepstakeForbids
from promotions.models import Draw, Prize, Sweepstake, Ticket, Winner
from promotions.services.rewarding import tickets
from promotions.services.rewarding.tickets import PURPOSE
from vouchers.models import Voucher
from vouchers.services import rewarding
from vouchers.services.rewarding import Gift


def due(at: datetime) -> list[Sweepstake]:
    """Return the sweepstakes whose draw is due and was not made. One query."""
    rows = Sweepstake.objects.filter(draws_at__lte=at, withdrawn_at=None, draw=None)
    return list(rows.exclude(published_at=None).order_by("draws_at", "pk"))


@use_case
def fix_list(sweepstake_id: int, *, at: datetime) -> Sweepstake:
    """Fix the list of tickets: from now on none comes, and none goes.

    :raises SweepstakeForbids: if it is not to be drawn now.
    """
    found = tickets.locked([sweepstake_id])[sweepstake_id]
    if found.listed_at is not None:
        return found
    check_drawable(found, at)
    found.listed_at = at
    found.save(update_fields=["listed_at"])
    return found


def check_drawable(sweepstake: Sweepstake, at: datetime) -> None:
    """:raises SweepstakeForbids: if a sweepstake is not to be drawn now."""
    if sweepstake.published_at is None or sweepstake.withdrawn_at is not None:
        raise SweepstakeForbids("Only a published sweepstake is drawn.")
    if at < sweepstake.draws_at:
        detail = f"It is drawn from {sweepstake.draws_at.isoformat()} on, as was published."
        raise SweepstakeForbids(detail)


def list_of(sweepstake: Sweepstake) -> list[tuple[int, str]]:
    """Return the numbers and pseudonyms of a list that is fixed, by number."""
    assert sweepstake.listed_at is not None
    rows = Ticket.objects.filter(sweepstake=sweepstake, voided_at=None).order_by("number")
    return list(rows.values_list("number", "pseudonym"))


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a draw found, to be written."""

    list_digest: str
    tickets: int
    numbers: list[int]


def find_winners(
    sweepstake: Sweepstake, on_progress: Callable[[int], None] = lambda done: None
) -> Drawn:
    """Return who wins by the fixed list and the seed. Nothing is written."""
    assert sweepstake.seed_sealed is not None
    seed = bytes.fromhex(sealing.unseal(sweepstake.seed_sealed, purpose=PURPOSE))
    listed = list_of(sweepstake)
    on_progress(len(listed))
    digest = digest_of_list(listed)
    prizes = sum(sweepstake.prizes.values_list("quantity", flat=True))
    places = winners(
        seed,
        digest,
        [pseudonym for _, pseudonym in listed],
        prizes,
        one_each=sweepstake.one_prize_each,
    )
    return Drawn(digest, len(listed), [listed[place][0] for place in places])


@use_case
def record(sweepstake_id: int, found: Drawn, *, at: datetime) -> Draw:
    """Write a draw with its winners, tell the seed, and announce it; once.

    Each winner finds it in its account history.
    """
    sweepstake = tickets.locked([sweepstake_id])[sweepstake_id]
    before = Draw.objects.filter(sweepstake=sweepstake).first()
    if before is not None:
        return before
    assert sweepstake.seed_sealed is not None
    draw = Draw.objects.create(
        sweepstake=sweepstake,
        algorithm=ALGORITHM,
        seed=sealing.unseal(sweepstake.seed_sealed, purpose=PURPOSE),
        list_digest=found.list_digest,
        tickets=found.tickets,
        drawn_at=at,
    )
    rows = _winners(draw, found.numbers)
    Winner.objects.bulk_create(rows)
    lines = [(row.ticket.member_id, _line(sweepstake, row)) for row in rows]
    activity.record_many(lines, "SWEEPSTAKE_WON", by=Actor.system("draw"), at=at)
    outbox.record("sweepstake.drawn", at=at, payload=_told(sweepstake, draw, rows))
    return draw


def _line(sweepstake: Sweepstake, row: Winner) -> dict[str, Any]:
    """Return what a winner's history says."""
    prize, ticket = row.prize.name, row.ticket.number
    return {"sweepstake": sweepstake.code, "prize": prize, "ticket": ticket}


def _told(sweepstake: Sweepstake, draw: Draw, rows: list[Winner]) -> dict[str, Any]:
    """Return what subscribers are told: nothing that names a person."""
    return {
        "code": sweepstake.code,
        "drawn_at": draw.drawn_at.isoformat(),
        "seed": draw.seed,
        "list_digest": draw.list_digest,
        "tickets": draw.tickets,
        "winners": [
            {
                "position": row.position,
                "prize": row.prize.place,
                "name": row.prize.name,
                "ticket": row.ticket.number,
                "pseudonym": row.ticket.pseudonym,
            }
            for row in rows
        ],
    }


def _winners(draw: Draw, numbers: list[int]) -> list[Winner]:
    won = Ticket.objects.filter(sweepstake=draw.sweepstake_id, number__in=numbers)
    by_number = {ticket.number: ticket for ticket in won}
    units: list[Prize] = []
    for prize in Prize.objects.filter(sweepstake=draw.sweepstake_id).order_by("place"):
        units += [prize] * prize.quantity
    return [
        Winner(draw=draw, position=position, prize=prize, ticket=by_number[number])
        for position, (prize, number) in enumerate(zip(units, numbers, strict=False), 1)
    ]


def award_vouchers(draw: Draw, *, at: datetime) -> int:
    """Issue the vouchers that are prizes, each in its own transaction; return how many.

    What is out of stock is left, and issued when this is run again.
    """
    open_ones = Winner.objects.filter(draw=draw, voucher=None).exclude(prize__voucher_type=None)
    keys = list(open_ones.order_by("position").values_list("pk", flat=True))
    return sum(_award(key, at=at) for key in keys)


@use_case
def _award(winner_id: int, *, at: datetime) -> bool:
    assert connection.in_atomic_block
    found = Winner.objects.select_related("ticket", "prize__voucher_type").get(pk=winner_id)
    posting.lock({"id": found.ticket.member_id}, at=at)
    found = (
        Winner.objects.select_for_update(of=("self",))
        .select_related("ticket", "prize__voucher_type")
        .get(pk=winner_id)
    )
    if found.voucher is not None or found.prize.voucher_type is None:
        return False
    gift = Gift(
        voucher_type=found.prize.voucher_type.code,
        member_id=found.ticket.member_id,
        partner_id=house().pk,
        quantity=1,
        origin=Voucher.Origin.SWEEPSTAKE,
        origin_id=uuid_utils.compat.uuid7(),
        at=at,
    )
    rewarding.give([gift])
    if gift.vouchers:
        found.voucher = gift.vouchers[0].pk
        found.save(update_fields=["voucher"])
    return bool(gift.vouchers)
