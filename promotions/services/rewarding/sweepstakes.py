"""Sweepstakes as they are published, entered, and withdrawn."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from ledger.kernel.book import Transaction
from ledger.queries.configuration import configuration
from ledger.services import checks, posting
from ledger.services.posting import LockedBook
from ledger.services.redemption import RedemptionRequest, post_redemption
from loyalty import sealing
from loyalty.errors import FieldError, ValidationFailed
from loyalty.secret import Secret
from promotions.engine.draw import commitment_of
from promotions.errors import (
    EntryNotOffered,
    SweepstakeClosed,
    SweepstakeForbids,
    SweepstakeNotFound,
    TicketLimit,
)
from promotions.models import Draw, Sweepstake, Ticket
from promotions.queries.entrants import entrant, keeps_out
from promotions.services.rewarding import tickets
from promotions.services.rewarding.tickets import PURPOSE, Entry
from vouchers.errors import NotEligible

Status = Sweepstake.Status
Source = Ticket.Source


def publish(sweepstake_id: int, *, at: datetime) -> Sweepstake:
    """Fix the rules of a sweepstake, and commit to the seed of its draw; a step.

    Entries are taken from `opens_at` on. The seed is random, kept sealed, and told after the draw.

    :raises SweepstakeForbids: if it was published before, has no prize, or closes in the past.
    """
    found = tickets.locked([sweepstake_id])[sweepstake_id]
    if found.published_at is not None:
        raise SweepstakeForbids("The sweepstake was published before.")
    if not found.prizes.exists():
        raise SweepstakeForbids("There is no prize to win.")
    if found.closes_at <= at:
        raise SweepstakeForbids("It would be closed already.")
    seed = secrets.token_bytes(32)
    found.seed_sealed = sealing.seal(seed.hex(), purpose=PURPOSE)
    found.key_sealed = sealing.seal(secrets.token_hex(32), purpose=PURPOSE)
    found.commitment, found.published_at = commitment_of(seed), at
    found.save(update_fields=["seed_sealed", "key_sealed", "commitment", "published_at"])
    return found


def withdraw(sweepstake_id: int, *, at: datetime) -> Sweepstake:
    """Take a sweepstake back before its list is fixed: nobody enters, nothing is drawn; a step.

    Points that bought tickets come back by reversing their redemptions.

    :raises SweepstakeForbids: if it is a draft, or its list is fixed.
    """
    found = tickets.locked([sweepstake_id])[sweepstake_id]
    if found.published_at is None or found.withdrawn_at is not None:
        raise SweepstakeForbids("Only a published sweepstake is withdrawn.")
    if found.listed_at is not None:
        raise SweepstakeForbids("The list of tickets is fixed; it will be drawn.")
    found.withdrawn_at = at
    found.save(update_fields=["withdrawn_at"])
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRequest:
    """Tickets that a member takes for nothing, or buys with points."""

    member: dict[str, object]
    partner_id: int
    reference: str
    digest: bytes
    occurred_at: datetime
    sweepstake: str
    quantity: int
    source: str
    point_type: str | None = None
    outlet: str | None = None
    step_up: Secret | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Entered:
    """The tickets that were given, and how many the member then holds."""

    sweepstake: Sweepstake
    tickets: list[int]
    held: int
    transaction: Transaction | None


def enter(book: LockedBook, request: EntryRequest, posting_id: UUID, *, at: datetime) -> Entered:
    """Give the member of a locked book tickets, for nothing or for points; a step.

    `posting_id` is what free tickets come from; bought ones come from their redemption. The book
    is written.

    :raises SweepstakeNotFound: if there is none of this code.
    :raises SweepstakeClosed: if it is not open now.
    :raises EntryNotOffered: if it has no free tickets, or none for points.
    :raises NotEligible: if it is not for this member.
    :raises TicketLimit: if the member would hold more than one may.
    :raises CardBlocked: if the card that named the member does not work.
    :raises InsufficientPoints, StageForbids, StepUpRequired: as a redemption.
    """
    assert connection.in_atomic_block
    found = Sweepstake.objects.filter(code=request.sweepstake).exclude(published_at=None).first()
    if found is None:
        raise SweepstakeNotFound
    _check(found, request, at)
    checks.may_earn(book)
    checks.card_works(book, configuration(book.epoch), request.occurred_at)
    _check_member(found, book, at)
    transaction = None
    if request.source == Source.POINTS:
        transaction = post_redemption(book, _redemption(found, request), at=at)
        posting.write(book)
    # The sweepstake's row comes last in the order of locks; what was checked is checked again.
    held_row = tickets.locked([found.pk])[found.pk]
    _check(held_row, request, at)
    held = _room(held_row, book, request)
    entry = Entry(
        member_id=book.member.id,
        partner_id=request.partner_id,
        quantity=request.quantity,
        source=request.source,
        origin_id=transaction.id if transaction else posting_id,
        at=at,
    )
    (numbers,) = tickets.issue(held_row, [entry])
    return Entered(held_row, numbers, held + len(numbers), transaction)


def _check(sweepstake: Sweepstake, request: EntryRequest, at: datetime) -> None:
    status = sweepstake.status_at(at)
    if status == Status.CLOSED and Draw.objects.filter(sweepstake=sweepstake.pk).exists():
        status = Status.DRAWN
    if status != Status.OPEN:
        raise SweepstakeClosed(
            status=status, opens_at=sweepstake.opens_at, closes_at=sweepstake.closes_at
        )
    if request.source == Source.FREE and not sweepstake.free_per_member:
        raise EntryNotOffered(source=Source.FREE)
    if request.source == Source.POINTS:
        if sweepstake.point_type is None or sweepstake.points is None:
            raise EntryNotOffered(source=Source.POINTS)
        if request.point_type not in (None, sweepstake.point_type.code):
            message = f"These tickets cost {sweepstake.point_type.code}."
            raise ValidationFailed([FieldError("/type", "NOT_A_CHOICE", message)])


def _check_member(sweepstake: Sweepstake, book: LockedBook, at: datetime) -> None:
    on = at.astimezone(configuration(book.epoch).zone).date()
    reason = keeps_out(sweepstake, entrant(book.member.id, at), on)
    if reason is not None:
        detail = f"The sweepstake is not for this member: {reason}."
        raise NotEligible(reason=reason, detail=detail)


def _room(sweepstake: Sweepstake, book: LockedBook, request: EntryRequest) -> int:
    """Return how many tickets the member holds of a locked sweepstake.

    :raises TicketLimit: if there is no room for those asked for.
    """
    mine = Ticket.objects.filter(sweepstake=sweepstake, member=book.member.id, voided_at=None)
    sources = list(mine.values_list("source", flat=True))
    free = sources.count(Source.FREE)
    if request.source == Source.FREE and free + request.quantity > sweepstake.free_per_member:
        raise TicketLimit(at_most=sweepstake.free_per_member, held=free)
    at_most = sweepstake.at_most
    if at_most is not None and len(sources) + request.quantity > at_most:
        raise TicketLimit(at_most=at_most, held=len(sources))
    return len(sources)


def _redemption(sweepstake: Sweepstake, request: EntryRequest) -> RedemptionRequest:
    assert sweepstake.point_type is not None
    assert sweepstake.points is not None
    return RedemptionRequest(
        member=request.member,
        partner_id=request.partner_id,
        reference=request.reference,
        digest=request.digest,
        occurred_at=request.occurred_at,
        point_type=sweepstake.point_type.code,
        points=sweepstake.points * request.quantity,
        purpose="CATALOGUE",
        outlet=request.outlet,
        step_up=request.step_up,
        request_id=request.request_id,
        reason=f"{request.quantity} × ticket of {sweepstake.code}",
    )
