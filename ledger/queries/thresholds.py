"""How much a member may redeem without a PIN: by redemption and by day."""

from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

import msgspec

from ledger.errors import NoRate
from ledger.kernel.book import Book, Bucket
from ledger.queries.books import MemberFacts, OpenBook, execute
from ledger.queries.configuration import Configuration, PointTypeFacts
from loyalty.dates import start_of_day
from members.thresholds import Limits, in_force


def limits_of(member: MemberFacts, settings: Configuration) -> Limits:
    """Return the limits that hold for a member, as read with the book."""
    own = Limits(member.pin_above, member.pin_above_per_day)
    return in_force(own, settings.pin_above, settings.pin_above_at_most)


def worth(
    point_type: PointTypeFacts, points: int, settings: Configuration, at: datetime
) -> Decimal | None:
    """Return what points are worth in the programme's currency, unrounded; None without a rate."""
    try:
        return point_type.rate(settings.currency, at) * points
    except NoRate:
        return None


_REDEEMED = """
SELECT coalesce(json_object_agg(point_type_id, points), '{}')::text FROM (
    SELECT e.point_type_id,
           sum(CASE WHEN e.target = %(redeemed)s THEN e.points ELSE -e.points END)::bigint AS points
    FROM ledger_transaction t JOIN ledger_entry e ON e.transaction_id = t.id
    WHERE t.member_id = %(member)s
      AND t.version > coalesce((
          SELECT version FROM ledger_transaction
          WHERE member_id = %(member)s AND posted_at < %(start)s
          ORDER BY version DESC LIMIT 1), 0)
      AND (e.target = %(redeemed)s OR (e.source = %(redeemed)s AND EXISTS (
          SELECT FROM ledger_transaction o
          WHERE o.id = t.original AND o.posted_at >= %(start)s)))
    GROUP BY e.point_type_id
) redeemed
"""


def redeemed_today(book: Book, settings: Configuration) -> Decimal:
    """Return what was redeemed in the local day of the book's `posted_at`, less what came back.

    In the programme's currency. The day is that of posting: a till's own time could move a
    redemption to a day that has room. Reads as many transactions as the day has; what the same
    unit drafted and has not written yet counts, too.
    """
    assert book.posted_at is not None
    day = book.posted_at.astimezone(settings.zone).date()
    row = execute(
        _REDEEMED,
        {
            "member": book.member_id,
            "redeemed": int(Bucket.REDEEMED),
            "start": start_of_day(day, settings.zone),
        },
    )
    points = msgspec.json.decode(row[0], type=dict[int, int], strict=False)
    for point_type, drafted in drafted_redemptions(book).items():
        points[point_type] = points.get(point_type, 0) + drafted
    values = (
        worth(settings.point_types[point_type], redeemed, settings, book.posted_at)
        for point_type, redeemed in points.items()
    )
    return sum((each for each in values if each is not None), Decimal(0))


def drafted_redemptions(book: Book) -> dict[int, int]:
    """Return the points by type that the unit redeems and has not written yet."""
    points: dict[int, int] = {}
    for transaction in book.transactions:
        for entry in transaction.entries:
            if entry.target is Bucket.REDEEMED:
                points[entry.point_type] = points.get(entry.point_type, 0) + entry.points
    return points


def money_without_pin(book: OpenBook, settings: Configuration) -> Decimal | None:
    """Return what the member may redeem now without a PIN, as money; None if there is no limit.

    One statement where a limit by day holds, else none.
    """
    limits = limits_of(book.member, settings)
    if limits.per_day is None:
        return limits.per_transaction
    left = max(Decimal(0), limits.per_day - redeemed_today(book.book, settings))
    return left if limits.per_transaction is None else min(left, limits.per_transaction)


def points_without_pin(
    money: Decimal | None,
    available: int,
    point_type: PointTypeFacts,
    settings: Configuration,
    at: datetime,
) -> int:
    """Return how many of the available points `money_without_pin` is, rounded down."""
    if not point_type.redeemable:
        return 0
    if money is None:
        return available
    each_worth = worth(point_type, 1, settings, at)
    if not each_worth:  # What has no value in money needs the PIN.
        return 0
    return min(available, int((money / each_worth).to_integral_value(ROUND_FLOOR)))
