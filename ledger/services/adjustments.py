"""Points moved by hand: an adjustment with its reason, and the expiry of a percentage."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from ledger.errors import InsufficientPoints
from ledger.kernel.book import Account, Bucket, Header, Kind, Transaction, begin, finish
from ledger.kernel.dates import expires_at, parse_policy
from ledger.kernel.postings import Grant, grant, share_of, take
from ledger.queries.books import Earlier, Lots, read
from ledger.queries.configuration import configuration
from ledger.services import checks, posting
from ledger.services.posting import Find, LockedBook
from loyalty.services.use_case import use_case


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustmentRequest:
    """A credit or debit of `points` by hand. `expiry` overrides the type's policy for a credit."""

    member: dict[str, Any]
    partner_id: int
    reference: str
    digest: bytes
    occurred_at: datetime
    point_type: str
    direction: str
    points: int
    reason: str
    expiry: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Adjusted:
    """An adjustment or expiry that was posted, or (`earlier`) had been before."""

    book: LockedBook
    transaction: Transaction | None
    earlier: Earlier | None = None


@use_case
def adjust_points(request: AdjustmentRequest, *, at: datetime) -> Adjusted:
    """Give or take points by hand: ISSUED to AVAILABLE, or AVAILABLE to REVERSED.

    :raises InsufficientPoints: if a debit is more than is available.
    :raises ReferenceConflict: if the reference names another adjustment.
    """
    find = Find(request.partner_id, Kind.ADJUSTMENT, request.reference)
    book = posting.lock(request.member, at=at, find=find, lots=Lots.ALL)
    if earlier := posting.replayed(book, request.digest):
        return Adjusted(book, None, earlier)
    posting.settle(book)
    settings = configuration(book.epoch)
    checks.in_time(settings, request.occurred_at, at)
    point_type = settings.point_type(request.point_type)
    available = book.book.account(point_type.id).available
    if request.direction == "DEBIT" and request.points > available:
        raise InsufficientPoints(requested=request.points, available=available)

    transaction = begin(book.book, _header(Kind.ADJUSTMENT, request))
    if request.direction == "DEBIT":
        take(book.book, transaction, point_type.id, request.points, Bucket.REVERSED)
    else:
        expiry = point_type.expiry if request.expiry is None else request.expiry
        until = expires_at(request.occurred_at, parse_policy(expiry), settings.zone)
        given = Grant(
            point_type=point_type.id,
            points=request.points,
            partner_id=request.partner_id,
            available_at=min(request.occurred_at, transaction.posted_at),
            expires_at=until,
            expiry=expiry,
        )
        grant(book.book, transaction, [given])
    finish(book.book, transaction)
    posting.write(book)
    return Adjusted(book, transaction)


def _header(kind: Kind, request: "AdjustmentRequest | ExpiryRequest") -> Header:
    return Header(
        kind=kind,
        partner_id=request.partner_id,
        occurred_at=request.occurred_at,
        reference=request.reference,
        digest=request.digest,
        reason=request.reason,
        request_id=request.request_id,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryRequest:
    """The expiry of `percent` of a member's available points, by hand."""

    member: dict[str, Any]
    partner_id: int
    reference: str
    digest: bytes
    occurred_at: datetime
    point_type: str
    percent: Decimal
    reason: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class ExpiryPreview:
    """What expiring a percentage would do; points in the smallest unit of their type."""

    member_id: int
    points: int
    account: Account


@use_case
def expire_percentage(request: ExpiryRequest, *, at: datetime) -> Adjusted:
    """Expire a percentage of the available points, soonest-expiring first.

    Half up on the total, never more than is there; locked and pending points are left alone. A
    share of nothing leaves a transaction without effects, so that a retry finds it.
    """
    find = Find(request.partner_id, Kind.EXPIRY, request.reference)
    book = posting.lock(request.member, at=at, find=find, lots=Lots.ALL)
    if earlier := posting.replayed(book, request.digest):
        return Adjusted(book, None, earlier)
    posting.settle(book)
    point_type = configuration(book.epoch).point_type(request.point_type)
    transaction = begin(book.book, _header(Kind.EXPIRY, request))
    points = share_of(book.book.account(point_type.id), request.percent)
    if points:
        take(book.book, transaction, point_type.id, points, Bucket.EXPIRED)
    finish(book.book, transaction)
    posting.write(book)
    return Adjusted(book, transaction)


def preview_expiry(request: ExpiryRequest, *, at: datetime) -> ExpiryPreview:
    """Return what `expire_percentage` would expire now; nothing is written."""
    book = read(request.member, at=at)
    point_type = configuration(book.epoch).point_type(request.point_type)
    account = book.book.account(point_type.id)
    return ExpiryPreview(book.member.id, share_of(account, request.percent), account)
