"""The week of one member in docs/ledger.md, played by the kernel: pure, no database."""

from datetime import UTC, datetime, timedelta

from ledger.kernel.book import Book, Bucket, Header, Kind, Lock, begin, finish
from ledger.kernel.postings import Grant, capture, grant, lock_amount
from ledger.kernel.reversals import Spent, charge, take_back
from ledger.kernel.settlement import close_lock, release_lock, settle

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def points(amount, *, after=timedelta(0)):
    return Grant(
        point_type=1,
        points=amount,
        partner_id=1,
        available_at=START + after,
        expires_at=START + timedelta(days=365),
    )


def test_a_week_of_one_member():
    book = Book(member_id=1, version=0, house=1, accounts={})
    at = START

    def post(kind, days):
        nonlocal at
        at = START + timedelta(days=days)
        book.open_at(at)
        settle(book)
        return begin(book, Header(kind=kind, partner_id=1, occurred_at=at))

    earn = post(Kind.EARN, 0)
    first, _ = grant(book, earn, [points(100), points(50, after=timedelta(days=2))])
    finish(book, earn)
    hold = post(Kind.LOCK, 3)
    lock = Lock(id=hold.id, lock_class="HOLD", point_type=1, partner_id=1)
    lock_amount(book, hold, lock, 80)
    finish(book, hold)
    captured = post(Kind.REDEMPTION, 4)
    capture(book, captured, lock, 60)
    finish(book, captured)
    freed = begin(book, Header(kind=Kind.UNLOCK, partner_id=1, occurred_at=at))
    release_lock(book, freed, lock, lock.points, at=at)
    close_lock(book, lock)
    finish(book, freed)
    reversal = post(Kind.EARN_REVERSAL, 5)
    take_back(book, reversal, first, first.left)
    charge(book, reversal, first, Spent(redeemed=60).takeable)
    finish(book, reversal)
    again = post(Kind.EARN, 6)
    grant(book, again, [points(30)])
    finish(book, again)

    table = [
        (t.version, t.header.kind, e.available, e.pending, e.locked, e.debt)
        for t in book.transactions
        for e in t.effects
    ]
    assert table == [
        (1, "EARN", 100, 50, 0, 0),
        (2, "RELEASE", 150, 0, 0, 0),
        (3, "LOCK", 70, 0, 80, 0),
        (4, "REDEMPTION", 70, 0, 20, 0),
        (5, "UNLOCK", 90, 0, 0, 0),
        (6, "EARN_REVERSAL", 0, 0, 0, 10),
        (7, "EARN", 20, 0, 0, 0),
    ]
    moves = [(e.source, e.target, e.points) for e in book.transactions[5].entries]
    assert moves == [
        (Bucket.AVAILABLE, Bucket.REVERSED, 40),
        (Bucket.DEBT, Bucket.REVERSED, 60),
        (Bucket.AVAILABLE, Bucket.DEBT, 50),
    ]
