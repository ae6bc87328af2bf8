"""Giving a voucher or benefit to a member by hand, whatever the tier."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from ledger.services.posting import LockedBook
from loyalty.caller import Actor
from loyalty.errors import FieldError, ValidationFailed
from members.errors import StageForbids
from members.models import Member
from members.services import activity
from vouchers.errors import BenefitNotFound
from vouchers.models import Benefit, BenefitAllocation, Voucher
from vouchers.services import issuing
from vouchers.services.issuing import Issue, Issued

OVER = frozenset({Member.Stage.CLOSED, Member.Stage.DISABLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRequest:
    """What to give, how much, when it is valid, by whom and why."""

    partner_id: int
    by: Actor
    quantity: int
    reason: str
    voucher_type: str | None = None
    benefit: str | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Allocated:
    """The vouchers that were given, or none for a benefit; and until when it is valid."""

    vouchers: list[Issued]
    valid_to: datetime | None


def allocate(
    book: LockedBook, request: AllocationRequest, posting_id: UUID, *, at: datetime
) -> Allocated:
    """Give what was asked for to the member of a locked book; a step.

    :raises StageForbids: if the membership is over.
    :raises BenefitNotFound, VoucherTypeUnknown, OutOfStock, VoucherLimit: as named.
    :raises ValidationFailed: if it would end before it begins, or has ended.
    """
    assert connection.in_atomic_block
    if book.member.stage in OVER:
        raise StageForbids(stage=book.member.stage, action="be given anything")
    start = request.valid_from or at
    if request.valid_to is not None and request.valid_to <= max(start, at):
        message = "It must be valid for a time that is to come."
        raise ValidationFailed([FieldError("/valid_to", "IN_PAST", message)])
    done = (
        _voucher(book, request, posting_id, at)
        if request.voucher_type is not None
        else _benefit(book, request, posting_id, start, at)
    )
    activity.record(
        book.member.id,
        "ALLOCATED",
        by=request.by,
        at=at,
        reason=request.reason,
        data={
            "voucher_type": request.voucher_type,
            "benefit": request.benefit,
            "quantity": request.quantity,
        },
    )
    return done


def _voucher(
    book: LockedBook, request: AllocationRequest, posting_id: UUID, at: datetime
) -> Allocated:
    order = Issue(
        voucher_type=issuing.offered_type(request.voucher_type or "", at),
        member_id=book.member.id,
        partner_id=request.partner_id,
        quantity=request.quantity,
        origin=Voucher.Origin.ALLOCATION,
        origin_id=posting_id,
        valid_from=request.valid_from,
        valid_to=request.valid_to,
    )
    issued = issuing.issue(order, at=at)
    return Allocated(issued, issued[0].voucher.expires_at)


def _benefit(
    book: LockedBook,
    request: AllocationRequest,
    posting_id: UUID,
    start: datetime,
    at: datetime,
) -> Allocated:
    benefit = Benefit.objects.filter(code=request.benefit, active=True).first()
    if benefit is None:
        raise BenefitNotFound
    BenefitAllocation.objects.create(
        id=posting_id,
        member_id=book.member.id,
        benefit=benefit,
        quantity=request.quantity,
        left=request.quantity,
        valid_from=start,
        valid_to=request.valid_to,
        reason=request.reason,
        created_at=at,
    )
    return Allocated([], request.valid_to)
