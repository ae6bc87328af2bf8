"""One member's book in memory, and the one function that moves points in it.

Points are never created or destroyed, only moved from one bucket to another (DESIGN 2).
`move` keeps lot, account and transaction in step, so whatever a posting does, each balance
equals its lots and each lot its entries.
"""

import copy
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

import msgspec
import uuid_utils.compat

END_OF_TIME = datetime.max.replace(tzinfo=UTC)


class Bucket(IntEnum):
    """Where points can be. The numbers are stored: never renumber them."""

    ISSUED = 1
    PENDING = 2
    AVAILABLE = 3
    LOCKED = 4
    REDEEMED = 5
    EXPIRED = 6
    REVERSED = 7
    DEBT = 8
    TRANSFERRED = 9


class Kind(StrEnum):
    """What a transaction is."""

    EARN = "EARN"
    BONUS = "BONUS"
    REDEMPTION = "REDEMPTION"
    EARN_REVERSAL = "EARN_REVERSAL"
    RETURN = "RETURN"
    REDEMPTION_REVERSAL = "REDEMPTION_REVERSAL"
    RETURN_REVERSAL = "RETURN_REVERSAL"
    LOCK = "LOCK"
    UNLOCK = "UNLOCK"
    RELEASE = "RELEASE"
    EXPIRY = "EXPIRY"
    ADJUSTMENT = "ADJUSTMENT"
    TRANSFER = "TRANSFER"


class Account(msgspec.Struct):
    """The points of one type, in its smallest unit, by state, with lifetime totals."""

    point_type: int
    available: int = 0
    pending: int = 0
    locked: int = 0
    debt: int = 0
    earned: int = 0
    redeemed: int = 0
    expired: int = 0
    reversed: int = 0


class Lot(msgspec.Struct):
    """What one promotion version gave in one transaction, and what is left of it.

    `origin` is the sale that it belongs to, where its own transaction is not the sale.
    `moved_from` is the lot whose points it goes on with, after a merge.
    """

    id: UUID
    point_type: int
    transaction_id: UUID
    version: int
    seq: int
    promotion_version: int | None
    partner_id: int
    granted: int
    available_at: datetime
    expires_at: datetime | None
    expiry: str = ""
    pending: int = 0
    available: int = 0
    locked: int = 0
    origin: UUID | None = None
    moved_from: UUID | None = None

    @property
    def left(self) -> int:
        return self.pending + self.available + self.locked

    @property
    def spending_order(self) -> tuple[datetime, int, int]:
        """Soonest-expiring first, then the oldest (DESIGN 2.5)."""
        return (self.expires_at or END_OF_TIME, self.version, self.seq)


class LockedLot(msgspec.Struct):
    """What a lock holds of one lot; `marked` if it also takes what that lot has pending."""

    lot: UUID
    points: int
    marked: bool = False


class Lock(msgspec.Struct):
    """An open hold on points: of an amount, or of what is left of one sale."""

    id: UUID
    lock_class: str
    point_type: int
    partner_id: int
    until: datetime | None = None
    sale: UUID | None = None
    reason: str | None = None
    lots: list[LockedLot] = []
    open: bool = True

    @property
    def points(self) -> int:
        return sum(held.points for held in self.lots)


class Entry(msgspec.Struct):
    """Points (more than 0) that moved from one bucket to another."""

    point_type: int
    lot: UUID | None
    source: Bucket
    target: Bucket
    points: int


class Effect(msgspec.Struct):
    """What a transaction did to one point type.

    `points` is the change of available + pending + locked - debt; the others are the
    figures after it, so that the effects of a book chain.
    """

    type: int
    points: int
    available: int
    pending: int
    locked: int
    debt: int


class Header(msgspec.Struct, kw_only=True):
    """What the caller says of a posting; the book adds id, version and `posted_at`."""

    kind: Kind
    partner_id: int
    occurred_at: datetime
    reference: str | None = None
    digest: bytes | None = None
    part: int = 0
    id: UUID | None = None
    sale: UUID | None = None
    original: UUID | None = None
    lock: UUID | None = None
    amount: str | None = None
    currency: str | None = None
    outlet: str | None = None
    purpose: str | None = None
    reason: str | None = None
    request_id: str | None = None
    tier_before: str | None = None
    tier_after: str | None = None
    data: dict[str, Any] | None = None


class Transaction(msgspec.Struct):
    """One posting, as it will be written."""

    id: UUID
    version: int
    posted_at: datetime
    header: Header
    entries: list[Entry] = []
    effects: list[Effect] = []
    balances: list[Account] = []


class Book(msgspec.Struct):
    """A member's points: accounts, the lots that were loaded, open locks, and the draft.

    `later_due` is the earliest due instant among what was not loaded. `lots` holds what the
    operation asked for: the due ones, those that cover an amount, or all that are open.
    """

    member_id: int
    version: int
    house: int
    accounts: dict[int, Account]
    last_posted_at: datetime | None = None
    later_due: datetime | None = None
    activity: list[str] = []
    lots: dict[UUID, Lot] = {}
    locks: dict[UUID, Lock] = {}
    posted_at: datetime | None = None
    transactions: list[Transaction] = []
    changed_lots: set[UUID] = set()
    new_lots: set[UUID] = set()
    changed_locks: set[UUID] = set()
    new_locks: set[UUID] = set()
    extended: dict[str, datetime] = {}

    def account(self, point_type: int) -> Account:
        """Return the account of a point type, opened empty if there is none."""
        account = self.accounts.get(point_type)
        if account is None:
            account = self.accounts[point_type] = Account(point_type)
        return account

    def open_at(self, at: datetime) -> datetime:
        """Fix `posted_at`: `at`, or later where the book was written later (DESIGN 2.8)."""
        self.posted_at = max(at, self.last_posted_at) if self.last_posted_at else at
        return self.posted_at

    def copied(self) -> "Book":
        """Return the book as it stands, to go back to; much cheaper than a deep copy.

        Finished postings are shared: nothing changes them.
        """
        return msgspec.structs.replace(
            self,
            accounts={key: msgspec.structs.replace(each) for key, each in self.accounts.items()},
            activity=list(self.activity),
            lots={key: msgspec.structs.replace(each) for key, each in self.lots.items()},
            locks=copy.deepcopy(self.locks),
            transactions=list(self.transactions),
            changed_lots=set(self.changed_lots),
            new_lots=set(self.new_lots),
            changed_locks=set(self.changed_locks),
            new_locks=set(self.new_locks),
            extended=dict(self.extended),
        )

    def due_at(self) -> datetime | None:
        """Return the earliest instant at which something here is released, expires or ends."""
        instants = [self.later_due] if self.later_due else []
        for lot in self.lots.values():
            if lot.pending:
                instants.append(lot.available_at)
            if lot.available and lot.expires_at:
                instants.append(lot.expires_at)
        instants.extend(lock.until for lock in self.locks.values() if lock.open and lock.until)
        return min(instants, default=None)


def begin(book: Book, header: Header) -> Transaction:
    """Start a posting as the next version of the book; `finish` ends it."""
    assert book.posted_at is not None, "open_at comes before the first posting"
    book.version += 1
    return Transaction(
        id=header.id or uuid_utils.compat.uuid7(),
        version=book.version,
        posted_at=book.posted_at,
        header=header,
    )


def move(
    book: Book,
    transaction: Transaction,
    lot: Lot | None,
    source: Bucket,
    target: Bucket,
    points: int,
    point_type: int | None = None,
) -> None:
    """Move `points` (more than 0) from one bucket to another, on a lot where there is one."""
    assert points > 0, "only positive points move"
    if lot is not None:
        point_type = lot.point_type
        if source in _OF_LOTS or target in _OF_LOTS:
            book.changed_lots.add(lot.id)
    assert point_type is not None
    account = book.account(point_type)
    _add(account, lot, source, -points)
    _add(account, lot, target, points)
    lot_id = lot.id if lot else None
    transaction.entries.append(Entry(point_type, lot_id, source, target, points))


_OF_LOTS = frozenset({Bucket.PENDING, Bucket.AVAILABLE, Bucket.LOCKED})


def _add(account: Account, lot: Lot | None, bucket: Bucket, points: int) -> None:
    if bucket is Bucket.AVAILABLE:
        assert lot is not None
        account.available += points
        lot.available += points
    elif bucket is Bucket.PENDING:
        assert lot is not None
        account.pending += points
        lot.pending += points
    elif bucket is Bucket.LOCKED:
        assert lot is not None
        account.locked += points
        lot.locked += points
    elif bucket is Bucket.DEBT:
        account.debt -= points
    elif bucket is Bucket.ISSUED:
        account.earned -= points
    elif bucket is Bucket.REDEEMED:
        account.redeemed += points
    elif bucket is Bucket.EXPIRED:
        account.expired += points
    elif bucket is Bucket.REVERSED:
        account.reversed += points


def finish(book: Book, transaction: Transaction) -> Transaction:
    """Pay what debt the posting leaves payable, note its effects, and put it in the draft."""
    touched = dict.fromkeys(entry.point_type for entry in transaction.entries)
    for point_type in touched:
        pay_debt(book, transaction, point_type)
    for point_type in touched:
        account = book.accounts[point_type]
        held = sum(_change_of_holding(entry, point_type) for entry in transaction.entries)
        figures = (account.available, account.pending, account.locked, account.debt)
        assert min(figures) >= 0, f"negative balance in {figures}"
        transaction.effects.append(Effect(point_type, held, *figures))
    transaction.balances = [msgspec.structs.replace(each) for each in book.accounts.values()]
    book.transactions.append(transaction)
    return transaction


def _change_of_holding(entry: Entry, point_type: int) -> int:
    if entry.point_type != point_type:
        return 0
    gained = entry.points if entry.target in _HELD else 0
    return gained - (entry.points if entry.source in _HELD else 0)


_HELD = _OF_LOTS | {Bucket.DEBT}


def continued(book: Book, transaction: Transaction, lot: Lot, points: int) -> Lot:
    """Return a new, still empty lot for `points` of a lot that is, or was, another member's.

    It has the dates, the promotion version, the partner and the sale of the lot it goes on with.
    """
    follower = Lot(
        id=uuid_utils.compat.uuid7(),
        point_type=lot.point_type,
        transaction_id=transaction.id,
        version=transaction.version,
        seq=sum(each.transaction_id == transaction.id for each in book.lots.values()),
        promotion_version=lot.promotion_version,
        partner_id=lot.partner_id,
        granted=points,
        available_at=lot.available_at,
        expires_at=lot.expires_at,
        expiry=lot.expiry,
        origin=lot.origin or lot.transaction_id,
        moved_from=lot.id,
    )
    book.lots[follower.id] = follower
    book.new_lots.add(follower.id)
    if "/ACTIVITY/" in lot.expiry and lot.expiry not in book.activity:
        book.activity.append(lot.expiry)
    return follower


def pay_debt(book: Book, transaction: Transaction, point_type: int) -> None:
    """Move AVAILABLE to DEBT, soonest-expiring first, while both are above zero."""
    account = book.account(point_type)
    owed = min(account.debt, account.available)
    if owed > 0:
        for lot, points in select(available_lots(book, point_type), owed):
            move(book, transaction, lot, Bucket.AVAILABLE, Bucket.DEBT, points)


def available_lots(book: Book, point_type: int) -> list[Lot]:
    """Return the loaded lots that can be spent, in spending order."""
    lots = (lot for lot in book.lots.values() if lot.available and lot.point_type == point_type)
    return sorted(lots, key=lambda lot: lot.spending_order)


def select(lots: Iterable[Lot], points: int) -> list[tuple[Lot, int]]:
    """Share `points` over the available points of `lots`, in the order given."""
    shares = []
    for lot in lots:
        if points == 0:
            break
        share = min(points, lot.available)
        if share:
            shares.append((lot, share))
            points -= share
    assert points == 0, "account and lots disagree, or too few lots were loaded"
    return shares
