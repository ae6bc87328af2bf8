"""Sweepstakes and their draws, as they are answered."""

from collections.abc import Sequence
from datetime import date, datetime

from loyalty.api.fields import Answer
from loyalty.api.languages import Chosen
from promotions.models import Draw, Prize, Sweepstake, Winner
from promotions.queries.entrants import Entrant, keeps_out
from promotions.queries.sweepstakes import Held, standing


class PriceAnswer(Answer, kw_only=True):
    """What one ticket costs."""

    type: str
    points: int


class PrizeAnswer(Answer, kw_only=True):
    """A prize, and how many of it there are."""

    place: int
    name: str
    text: str
    quantity: int
    voucher_type: str | None


class WinnerAnswer(Answer, kw_only=True):
    """A ticket that won; `mine` if it is the member's that is asked for."""

    position: int
    prize: int
    name: str
    ticket: int
    pseudonym: str
    mine: bool | None = None


class SweepstakeAnswer(Answer, kw_only=True):
    """A sweepstake. What it says of a member is null where none was named."""

    code: str
    name: str
    text: str
    terms_url: str
    status: str
    opens_at: datetime
    closes_at: datetime
    draws_at: datetime
    free_per_member: int
    price: PriceAnswer | None
    at_most: int | None
    min_age: int | None
    countries: list[str]
    one_prize_each: bool
    prizes: list[PrizeAnswer]
    commitment: str
    total: int | None
    held: int | None
    may_enter: bool | None
    why_not: str | None
    odds: str | None
    winners: list[WinnerAnswer]
    numbers: list[int] | None = None


class DrawAnswer(Answer, kw_only=True):
    """All that `verify_draw.py` needs beside the list of tickets."""

    code: str
    algorithm: str
    published_at: datetime | None
    commitment: str
    seed: str
    listed_at: datetime | None
    list_digest: str
    tickets: int
    prizes: int
    one_prize_each: bool
    drawn_at: datetime
    winners: list[WinnerAnswer]


def sweepstake_answer(
    row: Sweepstake,
    *,
    at: datetime,
    on: date,
    chosen: Chosen,
    total: int,
    who: Entrant | None,
    held: Held,
    winners: Sequence[Winner],
    tells_why: bool,
) -> SweepstakeAnswer:
    """Return a sweepstake in the chosen language, with what a member holds of it.

    Only who may know the member (`tells_why`) is told what of it keeps it out.
    """
    status = standing(row, at)
    why_not = _why_not(row, status, who, held, on) if who is not None else None
    price = None
    if row.point_type is not None and row.points is not None:
        price = PriceAnswer(type=row.point_type.code, points=row.points)
    return SweepstakeAnswer(
        code=row.code,
        name=chosen.text("name", row.translations, row.name),
        text=chosen.text("text", row.translations, row.text),
        terms_url=chosen.text("terms_url", row.translations, row.terms_url),
        status=status,
        opens_at=row.opens_at,
        closes_at=row.closes_at,
        draws_at=row.draws_at,
        free_per_member=row.free_per_member,
        price=price,
        at_most=row.at_most,
        min_age=row.min_age,
        countries=row.countries,
        one_prize_each=row.one_prize_each,
        prizes=[_prize(each, chosen) for each in row.prizes.all()],
        commitment=row.commitment,
        total=total if row.tells_total else None,
        held=held.tickets if who is not None else None,
        may_enter=why_not is None if who is not None else None,
        why_not=why_not if tells_why or why_not in _OF_ITSELF else why_not and "NOT_ELIGIBLE",
        odds=_odds(held.tickets, total) if who is not None and row.tells_total else None,
        winners=[_winner(each, who) for each in winners],
    )


def draw_answer(draw: Draw, winners: Sequence[Winner]) -> DrawAnswer:
    """Return a draw as it is published."""
    sweepstake = draw.sweepstake
    return DrawAnswer(
        code=sweepstake.code,
        algorithm=draw.algorithm,
        published_at=sweepstake.published_at,
        commitment=sweepstake.commitment,
        seed=draw.seed,
        listed_at=sweepstake.listed_at,
        list_digest=draw.list_digest,
        tickets=draw.tickets,
        prizes=sum(each.quantity for each in sweepstake.prizes.all()),
        one_prize_each=sweepstake.one_prize_each,
        drawn_at=draw.drawn_at,
        winners=[_winner(each, None) for each in winners],
    )


# Reasons that are the sweepstake's, or can be counted, and tell nothing of who the member is.
_OF_ITSELF = ("SWEEPSTAKE_CLOSED", "TICKET_LIMIT", "ENTRY_NOT_OFFERED")


def _why_not(row: Sweepstake, status: str, who: Entrant, held: Held, on: date) -> str | None:
    """Return why a member cannot enter now by itself; None if it can."""
    if status != Sweepstake.Status.OPEN:
        return "SWEEPSTAKE_CLOSED"
    if reason := keeps_out(row, who, on):
        return reason
    if row.at_most is not None and held.tickets >= row.at_most:
        return "TICKET_LIMIT"
    if row.points is None and held.free >= row.free_per_member:
        return "TICKET_LIMIT" if row.free_per_member else "ENTRY_NOT_OFFERED"
    return None


def _odds(held: int, total: int) -> str:
    """Return a member's share of the tickets as they are now, which wins the first prize."""
    return f"{held / total:.6f}" if total else "0.000000"


def _prize(prize: Prize, chosen: Chosen) -> PrizeAnswer:
    return PrizeAnswer(
        place=prize.place,
        name=chosen.text("name", prize.translations, prize.name),
        text=chosen.text("text", prize.translations, prize.text),
        quantity=prize.quantity,
        voucher_type=prize.voucher_type.code if prize.voucher_type else None,
    )


def _winner(row: Winner, who: Entrant | None) -> WinnerAnswer:
    return WinnerAnswer(
        position=row.position,
        prize=row.prize.place,
        name=row.prize.name,
        ticket=row.ticket.number,
        pseudonym=row.ticket.pseudonym,
        mine=row.ticket.member_id == who.id if who is not None else None,
    )
