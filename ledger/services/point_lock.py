"""Locks: holding an amount, or what is left of a sale, and letting it go again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat

from ledger.errors import (
    InsufficientPoints,
    LockNotFound,
    LockResolved,
    TransactionNotFound,
)
from ledger.kernel.book import Bucket, Header, Kind, Lock, Transaction, begin, finish
from ledger.kernel.postings import is_marked, lock_amount, lock_lots
from ledger.kernel.settlement import close_lock, release_lock
from ledger.models import PointLock
from ledger.queries.books import Earlier, Lots
from ledger.queries.configuration import configuration
from ledger.services import checks, posting
from ledger.services.originals import Original, original_of
from ledger.services.posting import Find, LockedBook
from loyalty.errors import FieldError, ValidationFailed
from loyalty.services.use_case import use_case


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRequest:
    """A hold on `points` of a member, or on what is left of the transaction `original`."""

    partner_id: int
    house: bool
    reference: str
    digest: bytes
    occurred_at: datetime
    member: dict[str, Any] | None = None
    original: Original | None = None
    point_type: str | None = None
    points: int | None = None
    lock_class: str = "HOLD"
    until: datetime | None = None
    reason: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Locked:
    """A lock or unlock that was posted, or (`earlier`) had been before.

    `lock` is None on a replay; the answer is then built from the stored transaction.
    """

    book: LockedBook
    transaction: Transaction | None
    lock: Lock | None = None
    earlier: Earlier | None = None


@use_case
def lock_points(request: LockRequest, *, at: datetime) -> Locked:
    """Hold points: AVAILABLE to LOCKED, and pending ones of a sale on their release.

    A sale's lock takes what is left of it. A lock never lengthens a lot's life.

    :raises InsufficientPoints: if an amount is not available, or nothing of the sale is left.
    :raises TransactionNotFound: if the original is not here or not the caller's.
    :raises ValidationFailed: if `until` is not in the future.
    """
    sale = original_of(request.original, Kind.EARN, Kind.BONUS) if request.original else None
    member = {"id": sale.member_id} if sale else request.member
    assert member is not None
    find = Find(request.partner_id, Kind.LOCK, request.reference)
    book = posting.lock(member, at=at, find=find, lots=Lots.ALL)
    if earlier := posting.replayed(book, request.digest):
        return Locked(book, None, earlier=earlier)
    posting.settle(book)
    assert book.book.posted_at is not None
    if request.until is not None and request.until <= book.book.posted_at:
        raise ValidationFailed([FieldError("/until", "IN_PAST", "until must be in the future.")])
    if request.lock_class == "HOLD":  # A fraud desk freezes by whatever card it has.
        settings = configuration(book.epoch)
        checks.card_works(book, settings, request.occurred_at, spends=True)
    if sale:
        transaction, lock = _lock_sale(book, request, sale.id)
    else:
        transaction, lock = _lock_amount(book, request)
    transaction.header.data = {**(transaction.header.data or {}), "locked": lock.points}
    posting.write(book)
    return Locked(book, transaction, lock)


def _header(request: LockRequest, lock_id: UUID, original: UUID | None = None) -> Header:
    return Header(
        kind=Kind.LOCK,
        id=lock_id,
        lock=lock_id,
        original=original,
        partner_id=request.partner_id,
        occurred_at=request.occurred_at,
        reference=request.reference,
        digest=request.digest,
        reason=request.reason,
        request_id=request.request_id,
        data={"class": request.lock_class, "until": request.until},
    )


def _new_lock(request: LockRequest, point_type: int, sale: UUID | None) -> Lock:
    return Lock(
        id=uuid_utils.compat.uuid7(),
        lock_class=request.lock_class,
        point_type=point_type,
        partner_id=request.partner_id,
        until=request.until,
        sale=sale,
        reason=request.reason,
    )


def _lock_amount(book: LockedBook, request: LockRequest) -> tuple[Transaction, Lock]:
    assert request.point_type is not None
    assert request.points is not None
    point_type = configuration(book.epoch).point_type(request.point_type)
    available = book.book.account(point_type.id).available
    if request.points > available:
        raise InsufficientPoints(requested=request.points, available=available)
    lock = _new_lock(request, point_type.id, None)
    transaction = begin(book.book, _header(request, lock.id))
    lock_amount(book.book, transaction, lock, request.points)
    return finish(book.book, transaction), lock


def _lock_sale(book: LockedBook, request: LockRequest, sale: UUID) -> tuple[Transaction, Lock]:
    lots = [
        lot
        for lot in book.book.lots.values()
        if sale in (lot.transaction_id, lot.origin)
        and (lot.available or (lot.pending and not is_marked(book.book, lot)))
    ]
    if request.point_type is not None:
        wanted = configuration(book.epoch).point_type(request.point_type).id
        lots = [lot for lot in lots if lot.point_type == wanted]
    if not lots:
        raise InsufficientPoints(requested=request.points or 1, available=0)
    lock = _new_lock(request, lots[0].point_type, sale)
    transaction = begin(book.book, _header(request, lock.id, sale))
    lock_lots(book.book, transaction, lock, lots)
    return finish(book.book, transaction), lock


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlockRequest:
    """Frees `points`, or all, of a lock named by its id or by the sale it holds."""

    partner_id: int
    house: bool
    may_unfreeze: bool
    reference: str
    digest: bytes
    occurred_at: datetime
    lock: UUID | None = None
    original: Original | None = None
    points: int | None = None
    reason: str | None = None
    request_id: str | None = None


@use_case
def unlock_points(request: UnlockRequest, *, at: datetime) -> Locked:
    """Free a lock: LOCKED to AVAILABLE, or straight to EXPIRED past its date.

    :raises LockNotFound: if the lock is not here, not the caller's, or of a class the caller may
        not free.
    :raises LockResolved: if it holds nothing any more.
    :raises InsufficientPoints: if more points are asked for than it holds.
    """
    row = _named_lock(request)
    find = Find(request.partner_id, Kind.UNLOCK, request.reference)
    book = posting.lock({"id": row.member_id}, at=at, find=find, lots=Lots.ALL)
    if earlier := posting.replayed(book, request.digest):
        return Locked(book, None, earlier=earlier)
    posting.settle(book)
    lock = book.book.locks.get(row.pk)
    if lock is None or not lock.open:
        raise LockResolved
    points = lock.points if request.points is None else request.points
    if points > lock.points:
        raise InsufficientPoints(requested=points, available=lock.points)
    header = Header(
        kind=Kind.UNLOCK,
        partner_id=request.partner_id,
        occurred_at=request.occurred_at,
        reference=request.reference,
        digest=request.digest,
        lock=lock.id,
        original=lock.id,
        reason=request.reason,
        request_id=request.request_id,
    )
    transaction = begin(book.book, header)
    release_lock(book.book, transaction, lock, points, at=transaction.posted_at)
    if request.points is None or not lock.points:
        close_lock(book.book, lock)
    finish(book.book, transaction)
    expired = sum(e.points for e in transaction.entries if e.target is Bucket.EXPIRED)
    header.data = {"unlocked": points - expired, "expired": expired, "locked": lock.points}
    posting.write(book)
    return Locked(book, transaction, lock)


def _named_lock(request: UnlockRequest) -> PointLock:
    locks = PointLock.objects.all()
    if request.lock is not None:
        locks = locks.filter(pk=request.lock)
    else:
        assert request.original is not None
        try:
            sale = original_of(request.original, Kind.EARN, Kind.BONUS)
        except TransactionNotFound:
            raise LockNotFound from None
        locks = locks.filter(sale=sale.id)
    if not request.house:
        locks = locks.filter(partner_id=request.partner_id)
    if not request.may_unfreeze:
        locks = locks.filter(lock_class=PointLock.LockClass.HOLD)
    row = locks.order_by("-open", "-pk").first()
    if row is None:
        raise LockNotFound
    return row
