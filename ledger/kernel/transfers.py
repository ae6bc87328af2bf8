"""Moving everything one member holds to another: the two postings of a merge.

Each lot goes out by state to TRANSFERRED and comes in as a new lot of the other member, with the
dates, the promotion version and the partner it had. So TRANSFERRED sums to zero over the two
(DESIGN 2.10), and every point still leads to the rule that gave it.
"""

from typing import Any

from ledger.kernel.book import (
    Book,
    Bucket,
    Header,
    Kind,
    Lock,
    LockedLot,
    Lot,
    Transaction,
    begin,
    continued,
    finish,
    move,
)


def transfer(
    giver: Book,
    taker: Book,
    *,
    lots: list[Lot],
    locks: list[Lock],
    debts: dict[int, int],
    reason: str,
    data: dict[str, Any],
    request_id: str | None = None,
) -> tuple[Transaction, Transaction]:
    """Move lots with all they hold, locks on nothing but them, and debt; return the two postings.

    Both books are locked, settled, and stand at one `posted_at`. `debts` are points by type. The
    taker then pays what debt it can, soonest-expiring first, as after any posting.
    """
    assert giver.posted_at == taker.posted_at, "the two sides of a transfer are posted at once"
    out = begin(giver, _header(giver, reason, data, request_id))
    into = begin(taker, _header(taker, reason, data, request_id))
    into.header.original = out.id
    followers = {lot.id: _move_lot(giver, out, taker, into, lot) for lot in lots if lot.left}
    for point_type, debt in debts.items():
        # Debt is what a member owes: a bucket below zero is emptied by moving points into it.
        move(giver, out, None, Bucket.TRANSFERRED, Bucket.DEBT, debt, point_type)
        move(taker, into, None, Bucket.DEBT, Bucket.TRANSFERRED, debt, point_type)
    for lock in locks:
        _move_lock(giver, taker, lock, followers)
    return finish(giver, out), finish(taker, into)


def transfer_all(
    giver: Book, taker: Book, *, reason: str, data: dict[str, Any], request_id: str | None = None
) -> tuple[Transaction, Transaction]:
    """Move everything a member holds, locks and debt included; see `transfer`."""
    moved = transfer(
        giver,
        taker,
        lots=sorted(giver.lots.values(), key=lambda lot: (lot.version, lot.seq)),
        locks=[lock for lock in giver.locks.values() if lock.open],
        debts={key: each.debt for key, each in giver.accounts.items() if each.debt},
        reason=reason,
        data=data,
        request_id=request_id,
    )
    giver.later_due = None  # All that was open was loaded, and has left.
    return moved


def _header(book: Book, reason: str, data: dict[str, Any], request_id: str | None) -> Header:
    assert book.posted_at is not None
    return Header(
        kind=Kind.TRANSFER,
        partner_id=book.house,
        occurred_at=book.posted_at,
        reason=reason,
        request_id=request_id,
        data=dict(data),
    )


def _move_lot(giver: Book, out: Transaction, taker: Book, into: Transaction, lot: Lot) -> Lot:
    follower = continued(taker, into, lot, lot.left)
    for state, points in (
        (Bucket.PENDING, lot.pending),
        (Bucket.AVAILABLE, lot.available),
        (Bucket.LOCKED, lot.locked),
    ):
        if points:
            move(giver, out, lot, state, Bucket.TRANSFERRED, points)
            move(taker, into, follower, Bucket.TRANSFERRED, state, points)
    return follower


def _move_lock(giver: Book, taker: Book, lock: Lock, followers: dict[Any, Lot]) -> None:
    """Let a lock go on, under the id that its caller knows, with the lots that took over."""
    before = [held for held in lock.lots if held.lot in followers]
    lock.lots = [LockedLot(held.lot, 0) for held in before] + [
        LockedLot(followers[held.lot].id, held.points, held.marked) for held in before
    ]
    del giver.locks[lock.id]
    giver.changed_locks.discard(lock.id)
    taker.locks[lock.id] = lock
    taker.changed_locks.add(lock.id)
