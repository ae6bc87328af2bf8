"""Bringing a book up to date: lock ends, releases and expiries, each at its due instant.

DESIGN 2.4: in the order of their instant, ties in that order, each its own transaction with
`occurred_at` = the due instant, each then paying debt. A replay does not settle.
"""

import heapq
from datetime import datetime
from uuid import UUID

from ledger.kernel.book import (
    Book,
    Bucket,
    Header,
    Kind,
    Lock,
    Lot,
    Transaction,
    begin,
    finish,
    move,
)

_LOCK_END, _RELEASE, _EXPIRY = range(3)


def settle(book: Book) -> None:
    """Post everything that is due by the book's `posted_at`. Free when nothing is due."""
    assert book.posted_at is not None
    due = book.due_at()
    if due is None or due > book.posted_at:
        return
    events = _events(book)
    while events and events[0][0] <= book.posted_at:
        instant, step, *_ = events[0]
        keys: list[UUID] = []
        while events and events[0][:2] == (instant, step):
            keys.append(heapq.heappop(events)[3])
            if step == _LOCK_END:
                break  # Each lock ends in a transaction of its own.
        # A lot can be due twice at one instant: on its date, and as points of it were freed.
        for event in _STEPS[step](book, list(dict.fromkeys(keys)), instant):
            heapq.heappush(events, event)


# (instant, step, age, key): the age keeps the order of equal ones stable.
Event = tuple[datetime, int, tuple[int, int], UUID]


def _events(book: Book) -> list[Event]:
    events: list[Event] = []
    for lot in book.lots.values():
        if lot.pending:
            events.append((lot.available_at, _RELEASE, (lot.version, lot.seq), lot.id))
        if lot.available and lot.expires_at:
            events.append((lot.expires_at, _EXPIRY, (lot.version, lot.seq), lot.id))
    for lock in book.locks.values():
        if lock.open and lock.until:
            events.append((lock.until, _LOCK_END, (0, 0), lock.id))
    heapq.heapify(events)
    return events


def _expiry_after(lot: Lot, instant: datetime) -> list[Event]:
    """Return the expiry that freed points bring; past their date, they expire at once."""
    if not lot.available or lot.expires_at is None:
        return []
    return [(max(lot.expires_at, instant), _EXPIRY, (lot.version, lot.seq), lot.id)]


def _system_posting(book: Book, kind: Kind, instant: datetime) -> Transaction:
    return begin(book, Header(kind=kind, partner_id=book.house, occurred_at=instant))


def _end_lock(book: Book, keys: list[UUID], instant: datetime) -> list[Event]:
    lock = book.locks[keys[0]]
    transaction = _system_posting(book, Kind.UNLOCK, instant)
    transaction.header.lock = lock.id
    transaction.header.reason = "The lock's end was reached."
    freed = release_lock(book, transaction, lock, lock.points, at=instant)
    close_lock(book, lock)
    finish(book, transaction)
    return [event for lot in freed for event in _expiry_after(lot, instant)]


def _release(book: Book, keys: list[UUID], instant: datetime) -> list[Event]:
    lots = [lot for key in keys if (lot := book.lots[key]).pending]
    if not lots:
        return []
    transaction = _system_posting(book, Kind.RELEASE, instant)
    for lot in lots:
        points = lot.pending
        move(book, transaction, lot, Bucket.PENDING, Bucket.AVAILABLE, points)
        _lock_if_marked(book, transaction, lot, points)
    finish(book, transaction)
    return [event for lot in lots for event in _expiry_after(lot, instant)]


def _lock_if_marked(book: Book, transaction: Transaction, lot: Lot, points: int) -> None:
    """Put released points under the lock of their sale, if one waits for them (DESIGN 2.6)."""
    for lock in book.locks.values():
        for held in lock.lots if lock.open else ():
            if held.lot == lot.id and held.marked:
                move(book, transaction, lot, Bucket.AVAILABLE, Bucket.LOCKED, points)
                held.points += points
                held.marked = False
                book.changed_locks.add(lock.id)
                return


def _expire(book: Book, keys: list[UUID], instant: datetime) -> list[Event]:
    lots = [lot for key in keys if (lot := book.lots[key]).available]
    if not lots:
        return []
    transaction = _system_posting(book, Kind.EXPIRY, instant)
    for lot in lots:
        move(book, transaction, lot, Bucket.AVAILABLE, Bucket.EXPIRED, lot.available)
    finish(book, transaction)
    return []


_STEPS = {_LOCK_END: _end_lock, _RELEASE: _release, _EXPIRY: _expire}


def release_lock(
    book: Book, transaction: Transaction, lock: Lock, points: int, *, at: datetime
) -> list[Lot]:
    """Free `points` of a lock, soonest-expiring first; what is past its date goes to EXPIRED.

    Returns the lots that got points back. Pending points are no longer marked once the lock
    holds nothing.
    """
    freed = []
    holding = [held for held in lock.lots if held.points]
    for held in sorted(holding, key=lambda held: book.lots[held.lot].spending_order):
        share = min(points, held.points)
        if not share:
            break
        lot = book.lots[held.lot]
        past = lot.expires_at is not None and lot.expires_at <= at
        move(
            book,
            transaction,
            lot,
            Bucket.LOCKED,
            Bucket.EXPIRED if past else Bucket.AVAILABLE,
            share,
        )
        held.points -= share
        points -= share
        if not past:
            freed.append(lot)
    assert points == 0, "a lock frees no more than it holds"
    book.changed_locks.add(lock.id)
    return freed


def close_lock(book: Book, lock: Lock) -> None:
    """Resolve a lock: it holds nothing and marks nothing any more."""
    assert lock.points == 0
    lock.open = False
    for held in lock.lots:
        held.marked = False
    book.changed_locks.add(lock.id)
