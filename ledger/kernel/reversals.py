"""Undoing what was posted: the mirror of an earn, and of a redemption on its original lots."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from ledger.kernel.book import Book, Bucket, Entry, Lot, Transaction, continued, move


class Spent(msgspec.Struct, frozen=True):
    """What left a lot for good, net, in points: the sums of its entries by bucket."""

    redeemed: int = 0
    paid: int = 0
    owed: int = 0
    forgiven: int = 0

    @property
    def takeable(self) -> int:
        """The spent points that no reversal has taken back, charged as debt or forgiven yet.

        Expired and reversed points are not in it: they are never taken twice.
        """
        return self.redeemed + self.paid - self.owed - self.forgiven


def spent_by(entry: Entry) -> Spent:
    """Return what one entry adds to what left its lot for good, as their sums count it."""
    points, move_of = entry.points, (entry.source, entry.target)
    redeemed = points if entry.target is Bucket.REDEEMED else 0
    if entry.source is Bucket.REDEEMED:
        redeemed = -points
    paid = {(Bucket.AVAILABLE, Bucket.DEBT): points, (Bucket.DEBT, Bucket.AVAILABLE): -points}
    owed = {(Bucket.DEBT, Bucket.REVERSED): points, (Bucket.REVERSED, Bucket.DEBT): -points}
    return Spent(redeemed, paid.get(move_of, 0), owed.get(move_of, 0))


class Family(msgspec.Struct):
    """A lot that was granted, with what merges made of it.

    `root` is the granted one, on this book or on that of a member merged into it; `lots` are
    those on this book that hold what is left, the root itself where nothing was merged.
    """

    root: Lot
    lots: list[Lot]
    spent: Spent

    @property
    def left(self) -> int:
        return sum(lot.left for lot in self.lots)


def take_back_of(book: Book, transaction: Transaction, family: Family, points: int) -> int:
    """Move up to `points` of a family to REVERSED; return how many it no longer had."""
    for lot in family.lots:
        points = take_back(book, transaction, lot, points)
    return points


def take_back(book: Book, transaction: Transaction, lot: Lot, points: int) -> int:
    """Move up to `points` of a lot to REVERSED: pending, then available, then locked.

    Returns how many of them the lot no longer had.
    """
    for state in (Bucket.PENDING, Bucket.AVAILABLE, Bucket.LOCKED):
        held = {
            Bucket.PENDING: lot.pending,
            Bucket.AVAILABLE: lot.available,
            Bucket.LOCKED: lot.locked,
        }[state]
        share = min(points, held)
        if share:
            move(book, transaction, lot, state, Bucket.REVERSED, share)
            points -= share
            if state is Bucket.LOCKED:
                _shrink_locks(book, lot, share)
            if state is Bucket.PENDING and not lot.pending:
                _unmark(book, lot)
    return points


def charge(book: Book, transaction: Transaction, lot: Lot, points: int) -> None:
    """Owe points of a lot that were spent: DEBT to REVERSED, which leaves the lot as it is.

    So the lot may be one that a merged member's book still holds: a family's root.
    """
    move(book, transaction, lot, Bucket.DEBT, Bucket.REVERSED, points)


def _shrink_locks(book: Book, lot: Lot, points: int) -> None:
    """Take `points` from what open locks hold of a lot, newest lock first."""
    for lock in reversed(book.locks.values()):
        for held in lock.lots if lock.open else ():
            if held.lot == lot.id and held.points:
                share = min(points, held.points)
                held.points -= share
                points -= share
                book.changed_locks.add(lock.id)
    assert points == 0, "locked points without a lock"


def _unmark(book: Book, lot: Lot) -> None:
    for lock in book.locks.values():
        for held in lock.lots if lock.open else ():
            if held.lot == lot.id and held.marked:
                held.marked = False
                book.changed_locks.add(lock.id)


class Restored(msgspec.Struct, frozen=True):
    """Points that a redemption's reversal gave back, and what became of them.

    `treated` is RESTORED, EXPIRED (past its date), GRACE (past its date, given the programme's
    grace) or DEBT (they had never been there: an offline shortfall).
    """

    lot: UUID | None
    points: int
    expires_at: datetime | None
    treated: str


def restore(
    book: Book,
    transaction: Transaction,
    spent: Iterable[Entry],
    points: int,
    *,
    payers: Callable[[int], Iterable[tuple[UUID, int]]],
    grace_until: datetime | None,
    away: Mapping[UUID, Lot],
) -> list[Restored]:
    """Undo `points` of a redemption, the last spent first, on the lots they came from.

    So a part taken back leaves the books as if less had been redeemed. `spent` are the
    redemption's entries net of earlier reversals, in posting order; `payers` yields the lots
    that paid a type's debt, latest first, with what each paid, and is asked only if one was paid.
    `away` are the lots of members merged since: their points come back as new lots of this book.
    """
    restored = []
    for entry in reversed(list(spent)):
        share = min(points, entry.points)
        if not share:
            continue
        points -= share
        if entry.lot is None:
            restored += _forgive_credit(
                book, transaction, entry.point_type, share, payers, grace_until, away
            )
        else:
            lot = _own_lot(book, transaction, entry.lot, share, away)
            move(book, transaction, lot, Bucket.REDEEMED, Bucket.AVAILABLE, share)
            restored.append(_date(book, transaction, lot, share, grace_until))
    assert points == 0, "a reversal takes back no more than was redeemed"
    return restored


def _forgive_credit(  # Six facts decide it; a class for them would hide the two moves.
    book: Book,
    transaction: Transaction,
    point_type: int,
    points: int,
    payers: Callable[[int], Iterable[tuple[UUID, int]]],
    grace_until: datetime | None,
    away: Mapping[UUID, Lot],
) -> list[Restored]:
    """Undo a shortfall: REDEEMED to DEBT, and what was already paid back to who paid it."""
    move(book, transaction, None, Bucket.REDEEMED, Bucket.DEBT, points, point_type)
    return _give_payers_back(book, transaction, point_type, points, payers, grace_until, away)


def _give_payers_back(
    book: Book,
    transaction: Transaction,
    point_type: int,
    points: int,
    payers: Callable[[int], Iterable[tuple[UUID, int]]],
    grace_until: datetime | None,
    away: Mapping[UUID, Lot],
) -> list[Restored]:
    """Give what was paid of debt that is no longer owed back to the lots that paid it."""
    overpaid = max(0, -book.account(point_type).debt)
    restored = [Restored(None, points - overpaid, None, "DEBT")] if points > overpaid else []
    for lot_id, paid in payers(point_type) if overpaid else ():
        share = min(overpaid, paid - _given_back(book, transaction, lot_id))
        if not share:
            continue
        lot = _own_lot(book, transaction, lot_id, share, away)
        move(book, transaction, lot, Bucket.DEBT, Bucket.AVAILABLE, share)
        restored.append(_date(book, transaction, lot, share, grace_until))
        overpaid -= share
    assert overpaid == 0, "debt was paid by no lot"
    return restored


def _given_back(book: Book, transaction: Transaction, payer: UUID) -> int:
    """Return what this posting itself has given back to a lot that paid debt.

    `payers` tells what is in the books; a posting that undoes several debts asks it again.
    """
    given = 0
    for entry in transaction.entries:
        if (entry.source, entry.target) != (Bucket.DEBT, Bucket.AVAILABLE) or entry.lot is None:
            continue
        lot = book.lots[entry.lot]
        made_here = lot.transaction_id == transaction.id
        if payer == (lot.moved_from if made_here else lot.id):
            given += entry.points
    return given


def give_back(
    book: Book,
    transaction: Transaction,
    taken: Iterable[Entry],
    *,
    payers: Callable[[int], Iterable[tuple[UUID, int]]],
    away: Mapping[UUID, Lot],
) -> list[Restored]:
    """Undo what a return took, the last first: REVERSED to the lots, and debt is owed no more.

    `taken` are its entries to REVERSED. What is not due yet comes back pending, what a lock held
    comes back free, and what is past its date expires at once. `payers`, `away`: see `restore`.
    """
    restored = []
    for entry in reversed(list(taken)):
        assert entry.lot is not None, "a return takes from lots"
        if entry.source is Bucket.DEBT:
            # The lot stays as it is: it may be one that a merged member's book still holds.
            lot = book.lots.get(entry.lot) or away[entry.lot]
            move(book, transaction, lot, Bucket.REVERSED, Bucket.DEBT, entry.points)
            restored += _give_payers_back(
                book, transaction, entry.point_type, entry.points, payers, None, away
            )
            continue
        lot = _own_lot(book, transaction, entry.lot, entry.points, away)
        if lot.available_at > transaction.posted_at:
            move(book, transaction, lot, Bucket.REVERSED, Bucket.PENDING, entry.points)
            restored.append(Restored(lot.id, entry.points, lot.expires_at, "RESTORED"))
            continue
        move(book, transaction, lot, Bucket.REVERSED, Bucket.AVAILABLE, entry.points)
        restored.append(_date(book, transaction, lot, entry.points, None))
    return restored


def _own_lot(
    book: Book, transaction: Transaction, lot_id: UUID, points: int, away: Mapping[UUID, Lot]
) -> Lot:
    lot = book.lots.get(lot_id)
    return lot if lot is not None else continued(book, transaction, away[lot_id], points)


def _date(
    book: Book, transaction: Transaction, lot: Lot, points: int, grace_until: datetime | None
) -> Restored:
    """Let points whose date has passed expire again at once, or live for the grace."""
    if lot.expires_at is None or lot.expires_at > transaction.posted_at:
        return Restored(lot.id, points, lot.expires_at, "RESTORED")
    if grace_until and not (lot.available - points):
        lot.expires_at = grace_until
        return Restored(lot.id, points, grace_until, "GRACE")
    move(book, transaction, lot, Bucket.AVAILABLE, Bucket.EXPIRED, points)
    return Restored(lot.id, points, lot.expires_at, "EXPIRED")
