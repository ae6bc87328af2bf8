"""The postings that give, spend, hold and take points: the rows of DESIGN 2's posting table.

Each works on a settled book and a begun transaction, and assumes that the caller has checked
what may be refused. Amounts are in the smallest unit of their point type.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

import msgspec
import uuid_utils.compat

from ledger.kernel.book import (
    Account,
    Book,
    Bucket,
    Lock,
    LockedLot,
    Lot,
    Transaction,
    available_lots,
    move,
    select,
)


class Grant(msgspec.Struct, kw_only=True):
    """Points to give as one lot, with the dates and the policy it keeps for life."""

    point_type: int
    points: int
    partner_id: int
    available_at: datetime
    expires_at: datetime | None
    expiry: str = ""
    promotion_version: int | None = None
    origin: UUID | None = None


def grant(book: Book, transaction: Transaction, grants: Iterable[Grant]) -> list[Lot]:
    """Give each grant as a lot: available if its instant has come, else pending.

    Where others than the partner that posts issue some of it, the header names them.
    """
    lots = []
    for seq, each in enumerate(grants):
        assert each.points > 0
        lot = Lot(
            id=uuid_utils.compat.uuid7(),
            point_type=each.point_type,
            transaction_id=transaction.id,
            version=transaction.version,
            seq=seq,
            promotion_version=each.promotion_version,
            partner_id=each.partner_id,
            granted=each.points,
            available_at=each.available_at,
            expires_at=each.expires_at,
            expiry=each.expiry,
            origin=each.origin,
        )
        book.lots[lot.id] = lot
        book.new_lots.add(lot.id)
        state = Bucket.PENDING if each.available_at > transaction.posted_at else Bucket.AVAILABLE
        move(book, transaction, lot, Bucket.ISSUED, state, each.points)
        if "/ACTIVITY/" in each.expiry and each.expiry not in book.activity:
            book.activity.append(each.expiry)
        lots.append(lot)
    header = transaction.header
    if others := {lot.partner_id for lot in lots} - {header.partner_id}:
        header.data = {**(header.data or {}), "funders": sorted(others)}
    return lots


def redeem(
    book: Book, transaction: Transaction, point_type: int, points: int, *, on_credit: int = 0
) -> None:
    """Spend `points`, soonest-expiring first, and `on_credit` more as debt (offline only)."""
    _spend(book, transaction, available_lots(book, point_type), points, Bucket.REDEEMED)
    if on_credit:
        move(book, transaction, None, Bucket.DEBT, Bucket.REDEEMED, on_credit, point_type)


def _spend(
    book: Book, transaction: Transaction, lots: list[Lot], points: int, target: Bucket
) -> None:
    for lot, share in select(lots, points):
        move(book, transaction, lot, Bucket.AVAILABLE, target, share)


def take(book: Book, transaction: Transaction, point_type: int, points: int, to: Bucket) -> None:
    """Take available points to EXPIRED or REVERSED, soonest-expiring first."""
    _spend(book, transaction, available_lots(book, point_type), points, to)


def share_of(account: Account, percent: Decimal) -> int:
    """Return `percent` of the available points: half up on the total, never more than is there."""
    share = (account.available * percent / 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    return min(int(share), account.available)


def capturable(book: Book, lock: Lock) -> list[tuple[Lot, int]]:
    """Return what a redemption may spend of a lock, in spending order: nothing past its date."""
    assert book.posted_at is not None
    held = [(book.lots[each.lot], each.points) for each in lock.lots if each.points]
    live = [
        (lot, points)
        for lot, points in held
        if lot.expires_at is None or lot.expires_at > book.posted_at
    ]
    return sorted(live, key=lambda share: share[0].spending_order)


def capture(book: Book, transaction: Transaction, lock: Lock, points: int) -> None:
    """Spend `points` out of a lock: LOCKED to REDEEMED."""
    by_lot = {held.lot: held for held in lock.lots}
    for lot, held_points in capturable(book, lock):
        share = min(points, held_points)
        if share:
            move(book, transaction, lot, Bucket.LOCKED, Bucket.REDEEMED, share)
            by_lot[lot.id].points -= share
            points -= share
    assert points == 0, "a capture spends no more than its lock holds"
    book.changed_locks.add(lock.id)


def lock_amount(book: Book, transaction: Transaction, lock: Lock, points: int) -> None:
    """Hold an amount: AVAILABLE to LOCKED, soonest-expiring first."""
    for lot, share in select(available_lots(book, lock.point_type), points):
        move(book, transaction, lot, Bucket.AVAILABLE, Bucket.LOCKED, share)
        lock.lots.append(LockedLot(lot.id, share))
    _open_lock(book, lock)


def lock_lots(book: Book, transaction: Transaction, lock: Lock, lots: list[Lot]) -> None:
    """Hold what is left of a sale's lots: available points now, pending ones on their release."""
    for lot in lots:
        marked = lot.pending > 0 and not is_marked(book, lot)
        if not lot.available and not marked:
            continue
        lock.lots.append(LockedLot(lot.id, lot.available, marked))
        if lot.available:
            move(book, transaction, lot, Bucket.AVAILABLE, Bucket.LOCKED, lot.available)
    _open_lock(book, lock)


def is_marked(book: Book, lot: Lot) -> bool:
    """Return whether an open lock already waits for the lot's pending points."""
    return any(
        held.marked and held.lot == lot.id
        for lock in book.locks.values()
        if lock.open
        for held in lock.lots
    )


def _open_lock(book: Book, lock: Lock) -> None:
    book.locks[lock.id] = lock
    book.new_locks.add(lock.id)


def extend_activity(book: Book, policy: str, expires_at: datetime) -> None:
    """Move the expiry of an activity policy's open lots forward, never back (DESIGN 2.7).

    Lots that were not loaded are moved by the same rule when the draft is written.
    """
    book.extended[policy] = expires_at
    for lot in book.lots.values():
        if lot.expiry == policy and lot.left and lot.expires_at and lot.expires_at < expires_at:
            lot.expires_at = expires_at
            book.changed_lots.add(lot.id)
