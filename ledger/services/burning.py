"""Burning points: what one redemption spends, of one point type or several, free or held by locks.

First everything is decided, on a book that is locked or only read; then it is drafted.
"""

from collections.abc import Sequence
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
from ledger.queries.books import OpenBook, execute
from ledger.queries.configuration import Configuration, PointTypeFacts
from ledger.queries.thresholds import drafted_redemptions
from loyalty.dates import start_of_day


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """Points of one type to spend: exactly one of `points` and `value`; free ones, or a lock's.

    `keep` leaves the lock what is not spent of it.
    """

    point_type: str
    points: int | None = None
    value: Decimal | None = None
    currency: str | None = None
    lock: UUID | None = None
    keep: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spender:
    """Who spends, when by the till's time, and whether the till granted it offline."""

    partner_id: int
    occurred_at: datetime
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Priced:
    """A burn with its points, and what they are worth where their type has a money value."""

    burn: Burn
    point_type: PointTypeFacts
    points: int
    value: Decimal | None
    currency: str | None


def priced(burn: Burn, settings: Configuration, at: datetime) -> Priced:
    """Return points, money value and its currency, by the rate dated `at`, the till's time.

    :raises PointTypeUnknown, NoRate: if the programme has none.
    """
    point_type = settings.point_type(burn.point_type)
    currency = burn.currency or settings.currency
    if burn.value is not None:
        points = settings.points_for(point_type, burn.value, currency, at)
        points += -points % point_type.step
        return Priced(burn, point_type, points, burn.value, currency)
    assert burn.points is not None
    if not point_type.rates:
        return Priced(burn, point_type, burn.points, None, None)
    value = settings.value_of(point_type, burn.points, currency, at)
    return Priced(burn, point_type, burn.points, value, currency)


def check_amounts(
    book: OpenBook, parts: Sequence[Priced], settings: Configuration, at: datetime
) -> None:
    """Refuse what a point type does not let be redeemed, each part and the day's sum.

    :raises NotRedeemable, BelowMinimum, OffStep, LimitReached: by the point type.
    """
    asked: dict[int, int] = {}
    for part in parts:
        kind = part.point_type
        if not kind.redeemable:
            raise NotRedeemable(kind.code)
        if part.points < kind.minimum:
            raise BelowMinimum(requested=part.points, minimum=kind.minimum)
        if part.points % kind.step:
            raise OffStep(requested=part.points, step=kind.step)
        if kind.daily_limit is not None:
            used = redeemed_on_day(book.book.member_id, kind.id, at, settings)
            used += drafted_redemptions(book.book).get(kind.id, 0)  # Of the same batch.
            used += asked.get(kind.id, 0)
            if used + part.points > kind.daily_limit:
                raise LimitReached(limit=kind.daily_limit, used=used, requested=part.points)
        asked[kind.id] = asked.get(kind.id, 0) + part.points


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


def on_credit(
    book: OpenBook, parts: Sequence[Priced], spender: Spender, settings: Configuration
) -> list[int]:
    """Return, by part, what an offline redemption may take as debt; refuse any other shortfall.

    :raises InsufficientPoints: if the book, or a lock, holds fewer.
    :raises LockNotFound, LockResolved: if a lock is not the caller's, or holds nothing.
    :raises OfflineFloor: if all together is worth more than may be granted offline.
    """
    short = [_short(book, part, spender) for part in parts]
    if any(short):
        floor = settings.offline_floor
        worth = sum(
            settings.value_of(part.point_type, part.points, settings.currency, spender.occurred_at)
            for part in parts
        )
        if floor is None or worth > floor:
            raise OfflineFloor(floor=str(floor or Decimal("0.00")))
    return short


def _short(book: OpenBook, part: Priced, spender: Spender) -> int:
    if part.burn.lock is not None:
        lock = lock_of(book, part.burn.lock, spender.partner_id)
        usable = sum(share for _, share in capturable(book.book, lock))
        if lock.point_type != part.point_type.id or part.points > usable:
            raise InsufficientPoints(requested=part.points, available=usable)
        return 0
    available = book.book.account(part.point_type.id).available
    if part.points > available and not spender.offline:
        raise InsufficientPoints(requested=part.points, available=available)
    return max(0, part.points - available)


def lock_of(book: OpenBook, lock_id: UUID, partner_id: int) -> Lock:
    """Return an open lock that a partner may capture; all locks of the book are loaded.

    :raises LockNotFound, LockResolved: if it is not the partner's, or holds nothing any more.
    """
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


def draft_redemption(
    book: OpenBook, header: Header, parts: Sequence[Priced], credit: Sequence[int]
) -> Transaction:
    """Draft one redemption of all parts, as they were decided; a step.

    What captures leave of their locks is freed after it, each lock by an UNLOCK of its own.
    """
    assert connection.in_atomic_block
    transaction = begin(book.book, header)
    captured = []
    for part, owed in zip(parts, credit, strict=True):
        if part.burn.lock is None:
            redeem(book.book, transaction, part.point_type.id, part.points - owed, on_credit=owed)
            continue
        lock = lock_of(book, part.burn.lock, header.partner_id)
        capture(book.book, transaction, lock, part.points)
        if not part.burn.keep:
            captured.append(lock)
    finish(book.book, transaction)
    for lock in captured:
        _release_rest(book, lock, header)
    header.data = {**(header.data or {}), "lots": _lots_spent(book, transaction)}
    return transaction


def _lots_spent(book: OpenBook, transaction: Transaction) -> list[dict[str, Any]]:
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


def _release_rest(book: OpenBook, lock: Lock, header: Header) -> None:
    """Free what a capture left of its lock, as an UNLOCK of its own."""
    if lock.points:
        unlock = begin(
            book.book,
            Header(
                kind=Kind.UNLOCK,
                partner_id=header.partner_id,
                occurred_at=header.occurred_at,
                lock=lock.id,
                sale=header.sale,
                request_id=header.request_id,
                reason="What the redemption left of the lock.",
            ),
        )
        release_lock(book.book, unlock, lock, lock.points, at=unlock.posted_at)
        finish(book.book, unlock)
    close_lock(book.book, lock)
