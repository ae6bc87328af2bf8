"""Redemption: spending points, soonest-expiring first, or those that a lock holds."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from ledger.errors import (
    BelowMinimum,
    InsufficientPoints,
    LimitReached,
    LockNotFound,
    LockResolved,
    NotRedeemable,
    OfflineFloor,
    OffStep,
)
from ledger.kernel.book import Bucket, Header, Kind, Lock, Transaction, begin, finish
from ledger.kernel.postings import capturable, capture, redeem
from ledger.kernel.settlement import close_lock, release_lock
from ledger.queries.books import Earlier, Lots, execute
from ledger.queries.configuration import Configuration, PointTypeFacts, configuration, point_type_id
from ledger.queries.thresholds import drafted_redemptions
from ledger.services import checks, exchange, posting
from ledger.services.checks import Spending
from ledger.services.exchange import ExchangeRequest
from ledger.services.posting import Find, LockedBook
from loyalty.dates import start_of_day
from loyalty.secret import Secret
from loyalty.services.use_case import use_case


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionRequest:
    """What a till asks for. Exactly one of `points` and `value` is given."""

    member: dict[str, Any]
    partner_id: int
    reference: str
    digest: bytes
    occurred_at: datetime
    point_type: str
    points: int | None = None
    value: Decimal | None = None
    currency: str | None = None
    purpose: str = "PAYMENT"
    outlet: str | None = None
    lock: UUID | None = None
    keep: bool = False
    offline: bool = False
    request_id: str | None = None
    reason: str | None = None
    step_up: Secret | None = None
    exchange: ExchangeRequest | None = None


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A redemption that was posted, or (`earlier`) had been before."""

    book: LockedBook
    transaction: Transaction | None
    earlier: Earlier | None = None


@use_case
def redeem_points(request: RedemptionRequest, *, at: datetime) -> Redeemed:
    """Spend a member's points. Sent again, it posts nothing and names the first outcome.

    :raises InsufficientPoints: if the book, or the lock, holds fewer.
    :raises StageForbids, CardBlocked, OutletUnknown, TooOld, InFuture: see `checks`.
    :raises NotRedeemable, BelowMinimum, OffStep, LimitReached, NoRate, OfflineFloor: by the
        point type and the programme.
    :raises LockNotFound, LockResolved: if the lock is not the caller's, or holds nothing.
    :raises StepUpRequired, StepUpInvalid: above the member's limits; see `checks.stepped_up`.
    :raises PartnerInactive, NotAnExchangePartner, ExchangeAboveMaximum: see `exchange.offer_of`.
    :raises ReferenceConflict: if the reference names another redemption.
    """
    find = Find(request.partner_id, Kind.REDEMPTION, request.reference)
    if request.points is not None and request.lock is None and not request.offline:
        # The lots that cover the amount are enough: cost follows it, not the number of lots.
        cover = (point_type_id(request.point_type), request.points)
        book = posting.lock(request.member, at=at, find=find, lots=Lots.COVER, cover=cover)
    else:
        book = posting.lock(request.member, at=at, find=find, lots=Lots.ALL)
    if earlier := posting.replayed(book, request.digest):
        return Redeemed(book, None, earlier)
    transaction = post_redemption(book, request, at=at)
    posting.write(book)
    return Redeemed(book, transaction)


def post_redemption(book: LockedBook, request: RedemptionRequest, *, at: datetime) -> Transaction:
    """Check and draft one redemption on a locked book; a step, nothing is written yet."""
    assert connection.in_atomic_block
    settings = configuration(book.epoch)
    point_type = settings.point_type(request.point_type)
    posting.settle(book)
    checks.may_redeem(book)
    checks.card_works(book, settings, request.occurred_at, spends=True)
    checks.outlet_known(settings, request.partner_id, request.outlet)
    checks.in_time(settings, request.occurred_at, at, offline=request.offline)
    points, value, currency = _price(request, point_type, settings)
    _check_amount(book, request, point_type, settings, points)
    offer = exchange.offer_of(settings, request.exchange, point_type, points, request.occurred_at)
    on_credit = _shortfall(book, request, point_type, settings, points)
    checks.stepped_up(
        book,
        settings,
        Spending(request.partner_id, point_type, points, request.occurred_at, request.offline),
        request.step_up,
        reference=request.reference,
    )

    header = Header(
        kind=Kind.REDEMPTION,
        partner_id=request.partner_id,
        occurred_at=request.occurred_at,
        reference=request.reference,
        digest=request.digest,
        lock=request.lock,
        amount=str(value) if value is not None else None,
        currency=currency,
        outlet=request.outlet,
        purpose=request.purpose,
        reason=request.reason,
        request_id=request.request_id,
    )
    transaction = begin(book.book, header)
    if request.lock is None:
        redeem(book.book, transaction, point_type.id, points - on_credit, on_credit=on_credit)
        finish(book.book, transaction)
    else:
        lock = _lock_of(book, request.lock, request.partner_id)
        capture(book.book, transaction, lock, points)
        finish(book.book, transaction)
        if not request.keep:
            _release_rest(book, lock, header)
    checks.note_activity(book.book, settings, header)
    header.data = {"lots": _lots_spent(book, transaction)}
    if offer is not None:
        exchange.send(book.book.member_id, transaction, offer)
    return transaction


def _lots_spent(book: LockedBook, transaction: Transaction) -> list[dict[str, Any]]:
    """Return what was spent of which lot, with the dates the lots had, for the answer."""
    spent = [entry for entry in transaction.entries if entry.target is Bucket.REDEEMED]
    return [
        {
            "lot": entry.lot,
            "points": entry.points,
            "expires_at": book.book.lots[entry.lot].expires_at if entry.lot else None,
        }
        for entry in spent
    ]


def _price(
    request: RedemptionRequest, point_type: PointTypeFacts, settings: Configuration
) -> tuple[int, Decimal | None, str | None]:
    """Return points, money value and its currency, by the rate dated `occurred_at`."""
    currency = request.currency or settings.currency
    if request.value is not None:
        points = settings.points_for(point_type, request.value, currency, request.occurred_at)
        points += -points % point_type.step
        return points, request.value, currency
    assert request.points is not None
    if not point_type.rates:
        return request.points, None, None
    value = settings.value_of(point_type, request.points, currency, request.occurred_at)
    return request.points, value, currency


def _check_amount(
    book: LockedBook,
    request: RedemptionRequest,
    point_type: PointTypeFacts,
    settings: Configuration,
    points: int,
) -> None:
    if not point_type.redeemable:
        raise NotRedeemable(point_type.code)
    if points < point_type.minimum:
        raise BelowMinimum(requested=points, minimum=point_type.minimum)
    if points % point_type.step:
        raise OffStep(requested=points, step=point_type.step)
    if point_type.daily_limit is not None:
        used = redeemed_on_day(book.book.member_id, point_type.id, request.occurred_at, settings)
        used += drafted_redemptions(book.book).get(point_type.id, 0)  # Of the same batch.
        if used + points > point_type.daily_limit:
            raise LimitReached(limit=point_type.daily_limit, used=used, requested=points)


def redeemed_on_day(
    member_id: int, point_type: int, occurred_at: datetime, settings: Configuration
) -> int:
    """Return the points redeemed in the local day of an instant, less what was reversed of them."""
    day = occurred_at.astimezone(settings.zone).date()
    start = start_of_day(day, settings.zone)
    end = start_of_day(day + timedelta(days=1), settings.zone)
    row = execute(
        "SELECT coalesce(sum(CASE WHEN e.target = %s THEN e.points ELSE -e.points END), 0)::bigint"
        " FROM ledger_transaction t JOIN ledger_entry e ON e.transaction_id = t.id"
        " WHERE t.member_id = ANY (ledger_merged(%s)) AND e.point_type_id = %s"
        " AND (e.source = %s OR e.target = %s)"
        " AND coalesce((SELECT o.occurred_at FROM ledger_transaction o WHERE o.id = t.original),"
        " t.occurred_at) >= %s AND coalesce((SELECT o.occurred_at FROM ledger_transaction o"
        " WHERE o.id = t.original), t.occurred_at) < %s",
        (int(Bucket.REDEEMED), member_id, point_type, *([int(Bucket.REDEEMED)] * 2), start, end),
    )
    return int(row[0])


def _shortfall(
    book: LockedBook,
    request: RedemptionRequest,
    point_type: PointTypeFacts,
    settings: Configuration,
    points: int,
) -> int:
    """Return what an offline redemption may take as debt; refuse any other shortfall."""
    if request.lock is not None:
        lock = _lock_of(book, request.lock, request.partner_id)
        usable = sum(share for _, share in capturable(book.book, lock))
        if lock.point_type != point_type.id or points > usable:
            raise InsufficientPoints(requested=points, available=usable)
        return 0
    available = book.book.account(point_type.id).available
    if points <= available:
        return 0
    if not request.offline:
        raise InsufficientPoints(requested=points, available=available)
    worth = settings.value_of(point_type, points, settings.currency, request.occurred_at)
    if settings.offline_floor is None or worth > settings.offline_floor:
        raise OfflineFloor(floor=str(settings.offline_floor or Decimal("0.00")))
    return points - available


def _lock_of(book: LockedBook, lock_id: UUID, partner_id: int) -> Lock:
    lock = book.book.locks.get(lock_id)
    if lock is None:
        known = execute(
            "SELECT count(*) FROM ledger_pointlock"
            " WHERE id = %s AND member_id = ANY (ledger_merged(%s)) AND partner_id = %s",
            (lock_id, book.book.member_id, partner_id),
        )
        raise LockResolved if known[0] else LockNotFound
    if lock.partner_id != partner_id or lock.lock_class != "HOLD":
        raise LockNotFound
    if not lock.open:
        raise LockResolved
    return lock


def _release_rest(book: LockedBook, lock: Lock, header: Header) -> None:
    """Free what a capture left of its lock, as an UNLOCK of its own."""
    if lock.points:
        unlock = begin(
            book.book,
            Header(
                kind=Kind.UNLOCK,
                partner_id=header.partner_id,
                occurred_at=header.occurred_at,
                lock=lock.id,
                request_id=header.request_id,
                reason="What the redemption left of the lock.",
            ),
        )
        release_lock(book.book, unlock, lock, lock.points, at=unlock.posted_at)
        finish(book.book, unlock)
    close_lock(book.book, lock)
