"""Vouchers for points, and points back for vouchers: each one unit."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledger.kernel.book import Kind, Transaction
from ledger.kernel.reversals import Restored
from ledger.models import Transaction as TransactionRow
from ledger.queries.books import Earlier, Lots
from ledger.services import posting
from ledger.services.posting import Find, LockedBook
from ledger.services.redemption import RedemptionRequest, post_redemption
from ledger.services.reversal import ReversalRequest, post_redemption_reversal
from loyalty.errors import FieldError, ValidationFailed
from loyalty.secret import Secret
from loyalty.services.use_case import use_case
from vouchers import codes
from vouchers.errors import VoucherTypeUnknown, WholeOnly
from vouchers.models import Voucher
from vouchers.services import issuing
from vouchers.services.issuing import Issue, Issued


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherRequest:
    """Vouchers of one type to buy for points. `point_type` must be that of the price, if given."""

    member: dict[str, Any]
    partner_id: int
    reference: str
    digest: bytes
    occurred_at: datetime
    voucher_type: str
    quantity: int
    point_type: str | None = None
    outlet: str | None = None
    step_up: Secret | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Bought:
    """A redemption with the vouchers it bought, or (`earlier`) the one that was posted before."""

    book: LockedBook
    transaction: Transaction | None
    vouchers: list[Issued]
    earlier: Earlier | None = None


@use_case
def redeem_voucher(request: VoucherRequest, *, at: datetime) -> Bought:
    """Burn points and issue the vouchers they buy. Sent again, it answers the first outcome.

    :raises VoucherTypeUnknown: if the type is not issued, or not for points.
    :raises OutOfStock, VoucherLimit: see `issuing.issue`.
    :raises ValidationFailed: if too many are asked for at once, or another point type.
    :raises InsufficientPoints, StageForbids, StepUpRequired: as a redemption.
    """
    find = Find(request.partner_id, Kind.REDEMPTION, request.reference)
    book = posting.lock(request.member, at=at, find=find, lots=Lots.ALL)
    if earlier := posting.replayed(book, request.digest):
        return Bought(book, None, _again(earlier), earlier)
    kind = issuing.offered_type(request.voucher_type, at)
    if kind.points is None or kind.point_type is None:
        raise VoucherTypeUnknown(kind.code)
    _check(request, kind.at_once, kind.point_type.code)
    wanted = RedemptionRequest(
        member=request.member,
        partner_id=request.partner_id,
        reference=request.reference,
        digest=request.digest,
        occurred_at=request.occurred_at,
        point_type=kind.point_type.code,
        points=kind.points * request.quantity,
        purpose="CATALOGUE",
        outlet=request.outlet,
        step_up=request.step_up,
        request_id=request.request_id,
        reason=f"{request.quantity} × {kind.code}",
    )
    transaction = post_redemption(book, wanted, at=at)
    posting.write(book)
    order = Issue(
        voucher_type=kind,
        member_id=book.member.id,
        partner_id=request.partner_id,
        quantity=request.quantity,
        origin=Voucher.Origin.POINTS,
        origin_id=transaction.id,
    )
    return Bought(book, transaction, issuing.issue(order, at=at))


def _again(earlier: Earlier) -> list[Issued]:
    found = issuing.vouchers_of(earlier.id)
    return [Issued(row, codes.unseal(row.code_sealed)) for row in found]


def _check(request: VoucherRequest, at_once: int, point_type: str) -> None:
    if request.quantity > at_once:
        message = f"At most {at_once} at once."
        raise ValidationFailed([FieldError("/quantity", "OUT_OF_RANGE", message)])
    if request.point_type not in (None, point_type):
        message = f"These vouchers cost {point_type}."
        raise ValidationFailed([FieldError("/type", "NOT_A_CHOICE", message)])


def post_reversal(
    book: LockedBook, original: TransactionRow, request: ReversalRequest, *, at: datetime
) -> tuple[Transaction, list[Restored]]:
    """Draft the reversal of a redemption on a locked and settled book, its vouchers cancelled.

    A step: the caller writes the book.

    :raises AlreadyReversed: if nothing of it is left.
    :raises ReversalExceeds: if more is asked for than is left of it.
    :raises VoucherUsed: if a voucher from it was used.
    :raises WholeOnly: if a part is asked for of points that bought vouchers, or of several types.
    """
    if request.points is not None and len(original.effects) > 1:
        raise WholeOnly
    transaction, restored = post_redemption_reversal(book, original, request)
    cancelled = issuing.cancel_of(original.pk, at=at, refuse_used=True)
    if cancelled and request.points is not None:
        raise WholeOnly
    return transaction, restored
