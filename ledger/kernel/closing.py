"""Forfeiting everything a member holds, when the membership is closed."""

from ledger.kernel.book import Book, Bucket, Header, Kind, begin, finish, move
from ledger.kernel.settlement import close_lock, release_lock


def forfeit(book: Book, *, reason: str) -> dict[int, int]:
    """Take all points of a settled book to EXPIRED; return how many of each type, if any.

    Only moves that the books know are used: locks end first, each as an UNLOCK; pending points
    are released; then one EXPIRY takes all that is available. Each posting pays debt, so what is
    forfeited is what is left after it. Debt above that stays owed.
    """
    before = {key: account.expired for key, account in book.accounts.items()}
    for lock in [each for each in book.locks.values() if each.open]:
        transaction = begin(book, _header(book, Kind.UNLOCK, reason))
        transaction.header.lock = lock.id
        release_lock(book, transaction, lock, lock.points, at=transaction.posted_at)
        close_lock(book, lock)
        finish(book, transaction)
    for kind, source, target in (
        (Kind.RELEASE, Bucket.PENDING, Bucket.AVAILABLE),
        (Kind.EXPIRY, Bucket.AVAILABLE, Bucket.EXPIRED),
    ):
        lots = [lot for lot in book.lots.values() if _in(lot.pending, lot.available, source)]
        if not lots:
            continue
        transaction = begin(book, _header(book, kind, reason))
        for lot in sorted(lots, key=lambda lot: lot.spending_order):
            points = _in(lot.pending, lot.available, source)
            move(book, transaction, lot, source, target, points)
        finish(book, transaction)
    after = {key: account.expired - before.get(key, 0) for key, account in book.accounts.items()}
    return {key: points for key, points in after.items() if points}


def _in(pending: int, available: int, bucket: Bucket) -> int:
    return pending if bucket is Bucket.PENDING else available


def _header(book: Book, kind: Kind, reason: str) -> Header:
    assert book.posted_at is not None
    return Header(
        kind=kind,
        partner_id=book.house,
        occurred_at=book.posted_at,
        reason=reason,
        data={"closing": True},
    )
