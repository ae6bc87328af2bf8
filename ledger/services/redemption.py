"""Redemption: spending points, soonest-expiring first, or those that a lock holds."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from ledger.kernel.book import Header, Kind, Transaction
from ledger.queries.books import Earlier, Lots
from ledger.queries.configuration import configuration, point_type_id
from ledger.services import checks, exchange, posting
from ledger.services.burning import (
    Burn,
    Spender,
    check_amounts,
    draft_redemption,
    on_credit,
    priced,
)
from ledger.services.exchange import ExchangeRequest
from ledger.services.posting import Find, LockedBook
from loyalty.money import places
from loyalty.secret import Secret
from loyalty.services.use_case import use_case


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionRequest:
    """What a till asks for. Exactly one of `points` and `value` is given."""

    member: dict[str, Any]
    partner_id: int
    reference: str
    digest: bytes
    occurred_at: datetime
    point_type: str
    points: int | None = None
    value: Decimal | None = None
    currency: str | None = None
    purpose: str = "PAYMENT"
    outlet: str | None = None
    lock: UUID | None = None
    keep: bool = False
    offline: bool = False
    request_id: str | None = None
    reason: str | None = None
    step_up: Secret | None = None
    exchange: ExchangeRequest | None = None

    @property
    def burn(self) -> Burn:
        """What is spent."""
        return Burn(
            point_type=self.point_type,
            points=self.points,
            value=self.value,
            currency=self.currency,
            lock=self.lock,
            keep=self.keep,
        )


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A redemption that was posted, or (`earlier`) had been before."""

    book: LockedBook
    transaction: Transaction | None
    earlier: Earlier | None = None


@use_case
def redeem_points(request: RedemptionRequest, *, at: datetime) -> Redeemed:
    """Spend a member's points. Sent again, it posts nothing and names the first outcome.

    :raises InsufficientPoints: if the book, or the lock, holds fewer.
    :raises StageForbids, CardBlocked, OutletUnknown, TooOld, InFuture: see `checks`.
    :raises NotRedeemable, BelowMinimum, OffStep, LimitReached, NoRate, OfflineFloor: by the
        point type and the programme.
    :raises LockNotFound, LockResolved: if the lock is not the caller's, or holds nothing.
    :raises StepUpRequired, StepUpInvalid: above the member's limits; see `checks.stepped_up`.
    :raises PartnerInactive, NotAnExchangePartner, ExchangeAboveMaximum: see `exchange.offer_of`.
    :raises ReferenceConflict: if the reference names another redemption.
    """
    find = Find(request.partner_id, Kind.REDEMPTION, request.reference)
    if request.points is not None and request.lock is None and not request.offline:
        # The lots that cover the amount are enough: cost follows it, not the number of lots.
        cover = (point_type_id(request.point_type), request.points)
        book = posting.lock(request.member, at=at, find=find, lots=Lots.COVER, cover=cover)
    else:
        book = posting.lock(request.member, at=at, find=find, lots=Lots.ALL)
    if earlier := posting.replayed(book, request.digest):
        return Redeemed(book, None, earlier)
    transaction = post_redemption(book, request, at=at)
    posting.write(book)
    return Redeemed(book, transaction)


def post_redemption(book: LockedBook, request: RedemptionRequest, *, at: datetime) -> Transaction:
    """Check and draft one redemption on a locked book; a step, nothing is written yet."""
    assert connection.in_atomic_block
    settings = configuration(book.epoch)
    settings.point_type(request.point_type)
    posting.settle(book)
    checks.may_redeem(book)
    checks.card_works(book, settings, request.occurred_at, spends=True)
    checks.outlet_known(settings, request.partner_id, request.outlet)
    checks.in_time(settings, request.occurred_at, at, offline=request.offline)
    part = priced(request.burn, settings, request.occurred_at)
    check_amounts(book, [part], settings, request.occurred_at)
    offer = exchange.offer_of(
        settings, request.exchange, part.point_type, part.points, request.occurred_at
    )
    spender = Spender(
        partner_id=request.partner_id, occurred_at=request.occurred_at, offline=request.offline
    )
    credit = on_credit(book, [part], spender, settings)
    checks.stepped_up(book, settings, [part], spender, request.step_up, reference=request.reference)
    header = Header(
        kind=Kind.REDEMPTION,
        partner_id=request.partner_id,
        occurred_at=request.occurred_at,
        reference=request.reference,
        digest=request.digest,
        lock=request.lock,
        amount=_plain(part.value, part.currency),
        currency=part.currency,
        outlet=request.outlet,
        purpose=request.purpose,
        reason=request.reason,
        request_id=request.request_id,
    )
    transaction = draft_redemption(book, header, [part], credit)
    checks.note_activity(book.book, settings, header)
    if offer is not None:
        exchange.send(book.book.member_id, transaction, offer)
    return transaction


def _plain(value: Decimal | None, currency: str | None) -> str | None:
    """Return money with the places of its currency, as it reads when it is stored."""
    return None if value is None else f"{value:.{places(currency or '')}f}"
