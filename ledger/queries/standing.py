"""What a member holds: balances by state now and in the past, and what expires when."""

from datetime import datetime
from typing import Any

import msgspec

from ledger.kernel.book import Account, Book, Lock, LockedLot, Lot
from ledger.kernel.settlement import settle
from ledger.queries.books import Lots, OpenBook, execute, read


class Due(msgspec.Struct, frozen=True):
    """Points of one type with the instant at which they are released or expire."""

    at: datetime
    points: int


class TypeStatus(msgspec.Struct, frozen=True):
    """The points of one type by state, settled; `next_*` is what happens if nothing is posted."""

    account: Account
    next_expiry: Due | None
    next_release: Due | None


def point_status(member: dict[str, Any], *, at: datetime) -> tuple[OpenBook, dict[int, TypeStatus]]:
    """Return a member's points by type at `at`, which is now. Two statements, flat in history.

    :raises MemberNotFound: if the reference names nobody.
    """
    book = read(member, at=at)
    coming = _coming(book.book.member_id, at, book.book)
    return book, {
        key: TypeStatus(account, *coming.get(key, (None, None)))
        for key, account in sorted(book.book.accounts.items())
    }


class _ComingRow(msgspec.Struct):
    point_type: int
    expires_at: datetime | None
    expires: int | None
    available_at: datetime | None
    released: int | None


def _coming(
    member_id: int, at: datetime, settled: Book
) -> dict[int, tuple[Due | None, Due | None]]:
    """Return the next expiry and the next release after `at` of each point type.

    The soonest instant is found through the index in spending order, so the cost does not grow
    with the lots that are spent. Lots that settling changed are taken from the settled book.
    """
    row = execute(
        """
        SELECT coalesce(json_agg(json_build_object(
            'point_type', a.point_type_id, 'expires_at', x.at, 'expires', x.points,
            'available_at', r.at, 'released', r.points)), '[]')::text
        FROM ledger_account a
        LEFT JOIN LATERAL (
            SELECT expires_at AS at, sum(available + locked) AS points FROM ledger_lot
            WHERE a.available + a.locked > 0
              AND member_id = a.member_id AND point_type_id = a.point_type_id AND open
              AND expires_at > %(at)s AND available + locked > 0 AND id <> ALL (%(seen)s)
            GROUP BY expires_at ORDER BY expires_at LIMIT 1
        ) x ON true
        LEFT JOIN LATERAL (
            SELECT available_at AS at, sum(pending) AS points FROM ledger_lot
            WHERE a.pending > 0
              AND member_id = a.member_id AND point_type_id = a.point_type_id AND open
              AND pending > 0 AND available_at > %(at)s AND id <> ALL (%(seen)s)
            GROUP BY available_at ORDER BY available_at LIMIT 1
        ) r ON true
        WHERE a.member_id = %(member)s
        """,
        {"member": member_id, "at": at, "seen": list(settled.lots)},
    )
    found: dict[int, tuple[Due | None, Due | None]] = {}
    for each in msgspec.json.decode(row[0], type=list[_ComingRow]):
        expiry = Due(each.expires_at, each.expires or 0) if each.expires_at else None
        release = Due(each.available_at, each.released or 0) if each.available_at else None
        for lot in settled.lots.values():
            if lot.point_type != each.point_type:
                continue
            held = lot.available + lot.locked
            if lot.expires_at and held and lot.expires_at > at:
                expiry = _sooner(expiry, Due(lot.expires_at, held))
            if lot.pending:
                release = _sooner(release, Due(lot.available_at, lot.pending))
        found[each.point_type] = (expiry, release)
    return found


def _sooner(one: Due | None, other: Due) -> Due:
    if one is None or other.at < one.at:
        return other
    return Due(one.at, one.points + other.points) if one.at == other.at else one


class ExpiryBucket(msgspec.Struct, frozen=True):
    """Points of one type that expired, or will if nothing happens, at one instant."""

    point_type: int
    at: datetime
    points: int


def points_expiry(
    member: dict[str, Any], *, at: datetime, since: datetime, until: datetime | None = None
) -> tuple[OpenBook, list[ExpiryBucket], list[ExpiryBucket]]:
    """Return what expired from `since` on, and what will, by date and type, earliest first.

    Locked points are included; pending ones count from their release, with the date they have.

    :raises MemberNotFound: if the reference names nobody.
    """
    book = read(member, at=at, lots=Lots.ALL)
    upcoming: dict[tuple[datetime, int], int] = {}
    for lot in book.book.lots.values():
        if lot.left and lot.expires_at and (until is None or lot.expires_at < until):
            key = (max(lot.expires_at, at), lot.point_type)
            upcoming[key] = upcoming.get(key, 0) + lot.left
    row = execute(
        """
        SELECT coalesce(json_agg(json_build_object(
            'point_type', type, 'at', at, 'points', points) ORDER BY at, type), '[]')::text
        FROM (
            SELECT e.point_type_id AS type, t.occurred_at AS at, sum(e.points)::bigint AS points
            FROM ledger_transaction t JOIN ledger_entry e ON e.transaction_id = t.id
            WHERE t.member_id = %(member)s AND t.occurred_at >= %(since)s AND e.target = 6
              AND t.kind IN ('EXPIRY', 'UNLOCK', 'REDEMPTION_REVERSAL')
            GROUP BY e.point_type_id, t.occurred_at
        ) expired
        """,
        {"member": book.book.member_id, "since": since},
    )
    expired = msgspec.json.decode(row[0], type=list[ExpiryBucket])
    for transaction in book.book.transactions:
        for entry in transaction.entries:
            if entry.target == 6:  # noqa: PLR2004 EXPIRED, settled in memory only
                when = transaction.header.occurred_at
                expired.append(ExpiryBucket(entry.point_type, when, entry.points))
    return (
        book,
        sorted(expired, key=lambda bucket: (bucket.at, bucket.point_type)),
        [ExpiryBucket(kind, when, points) for (when, kind), points in sorted(upcoming.items())],
    )


class _PastLot(msgspec.Struct):
    lot: Lot
    held_by: list[tuple[str, datetime | None]]


def status_as_of(member_id: int, *, as_of: datetime, house: int) -> Book:
    """Return a member's book as it stood at a past instant, with everything due by then settled.

    Rebuilt from the entries posted by `as_of`. Dates that activity moved later are those of
    today: what is not kept cannot be told.
    """
    row = execute(
        """
        SELECT coalesce(json_agg(json_build_object('lot', to_jsonb(l)
            - '{open,member_id,point_type_id,pending,available,locked}'::text[]
            || jsonb_build_object('point_type', l.point_type_id, 'pending', e.pending,
                                  'available', e.available, 'locked', e.locked),
            'held_by', coalesce((
                SELECT json_agg(json_build_array(k.id, k.until))
                FROM ledger_lockedlot h JOIN ledger_pointlock k ON k.id = h.lock_id
                WHERE h.lot_id = l.id), '[]'::json))), '[]')::text
        FROM ledger_lot l
        JOIN LATERAL (
            SELECT sum(CASE WHEN e.target = 2 THEN e.points WHEN e.source = 2 THEN -e.points
                            ELSE 0 END)::bigint AS pending,
                   sum(CASE WHEN e.target = 3 THEN e.points WHEN e.source = 3 THEN -e.points
                            ELSE 0 END)::bigint AS available,
                   sum(CASE WHEN e.target = 4 THEN e.points WHEN e.source = 4 THEN -e.points
                            ELSE 0 END)::bigint AS locked
            FROM ledger_entry e JOIN ledger_transaction t ON t.id = e.transaction_id
            WHERE e.lot_id = l.id AND t.posted_at <= %(as_of)s
        ) e ON e.pending > 0 OR e.available > 0 OR e.locked > 0
        WHERE l.member_id = %(member)s
        """,
        {"member": member_id, "as_of": as_of},
    )
    book = Book(member_id=member_id, version=0, house=house, accounts=_accounts(member_id, as_of))
    for past in msgspec.json.decode(row[0], type=list[_PastLot]):
        book.lots[past.lot.id] = past.lot
        _hold(book, past)
    book.open_at(as_of)
    settle(book)
    return book


def _hold(book: Book, past: _PastLot) -> None:
    """Put a lot's locked points under the first lock that is known to have held it."""
    if not past.lot.locked:
        return
    key, until = past.held_by[0]
    lock_id = msgspec.convert(key, type=type(past.lot.id))
    lock = book.locks.setdefault(lock_id, Lock(lock_id, "HOLD", past.lot.point_type, 0, until))
    lock.lots.append(LockedLot(past.lot.id, past.lot.locked))


def _accounts(member_id: int, as_of: datetime) -> dict[int, Account]:
    row = execute(
        """
        SELECT coalesce(json_agg(a), '[]')::text FROM (
            SELECT e.point_type_id AS point_type,
                   sum(CASE WHEN target = 2 THEN points WHEN source = 2 THEN -points ELSE 0 END)
                       ::bigint AS pending,
                   sum(CASE WHEN target = 3 THEN points WHEN source = 3 THEN -points ELSE 0 END)
                       ::bigint AS available,
                   sum(CASE WHEN target = 4 THEN points WHEN source = 4 THEN -points ELSE 0 END)
                       ::bigint AS locked,
                   sum(CASE WHEN source = 8 THEN points WHEN target = 8 THEN -points ELSE 0 END)
                       ::bigint AS debt
            FROM ledger_entry e JOIN ledger_transaction t ON t.id = e.transaction_id
            WHERE t.member_id = %s AND t.posted_at <= %s GROUP BY e.point_type_id
        ) a
        """,
        (member_id, as_of),
    )
    accounts = msgspec.json.decode(row[0], type=list[Account])
    return {account.point_type: account for account in accounts}
