"""Exchanging points for units of a partner: what is offered, what was sent, what comes back."""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR
from functools import lru_cache
from uuid import UUID

from django.db import connection

from ledger.errors import BelowMinimum, ExchangeAboveMaximum, OffStep
from ledger.kernel.book import Transaction
from ledger.queries.configuration import Configuration, PointTypeFacts
from loyalty.errors import FieldError, ValidationFailed
from partners.errors import ExchangeNotFound, ExchangeSettled, NotAnExchangePartner, PartnerInactive
from partners.models import Exchange
from partners.queries import ExchangeFacts

PURPOSE = "EXCHANGE"


@dataclass(frozen=True, slots=True)
class ExchangeRequest:
    """Whose units the points buy, and the member's account there."""

    partner: str
    account: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What points buy: whole units, after the fee."""

    partner: ExchangeFacts
    account: str
    point_type: str
    points: int
    fee: int
    units: int


def offer_of(
    settings: Configuration,
    wanted: ExchangeRequest | None,
    point_type: PointTypeFacts,
    points: int,
    at: datetime,
) -> Offer | None:
    """Return what points buy at the rate of an instant, rounded down; None where none is wanted.

    The fee is taken off first: with a rate of 0.5 and a fee of 50, 1,050 points buy 500 units.

    :raises NotAnExchangePartner: if the partner takes none of this type then.
    :raises PartnerInactive: if it takes part no longer.
    :raises BelowMinimum, ExchangeAboveMaximum, OffStep: by the partner's terms.
    :raises ValidationFailed: if the account is not of the partner's format.
    """
    if wanted is None:
        return None
    partner = settings.exchanges.get(wanted.partner)
    if partner is None:
        raise NotAnExchangePartner(wanted.partner, point_type.code)
    if not partner.active:
        raise PartnerInactive(partner.code)
    found = (r.rate for r in partner.rates if r.point_type == point_type.code and r.holds(at))
    rate = next(found, None)
    if not rate:
        raise NotAnExchangePartner(partner.code, point_type.code)
    terms = partner.terms
    if not _pattern(terms.account_format).fullmatch(wanted.account):
        message = f"This is no account of {partner.code}."
        raise ValidationFailed([FieldError("/exchange/account", "NOT_IN_FORM", message)])
    if points < terms.minimum:
        raise BelowMinimum(requested=points, minimum=terms.minimum)
    if terms.maximum is not None and points > terms.maximum:
        raise ExchangeAboveMaximum(requested=points, maximum=terms.maximum)
    if points % terms.step:
        raise OffStep(requested=points, step=terms.step)
    units = int((max(points - terms.fee, 0) * rate).to_integral_value(rounding=ROUND_FLOOR))
    if units < 1:
        least = terms.fee + int((1 / rate).to_integral_value(rounding=ROUND_CEILING))
        raise BelowMinimum(requested=points, minimum=least)
    return Offer(partner, wanted.account, point_type.code, points, terms.fee, units)


def send(member_id: int, transaction: Transaction, offer: Offer) -> None:
    """Note an exchange beside its redemption; a step.

    The account is kept apart from the books, which are never changed and hold no account.
    """
    assert connection.in_atomic_block
    transaction.header.data = {
        **(transaction.header.data or {}),
        "exchange": {
            "partner": offer.partner.code,
            "units": offer.units,
            "fee": offer.fee,
            "status": Exchange.Status.SENT.value,
        },
    }
    Exchange.objects.create(
        pk=transaction.id,
        member_id=member_id,
        partner_id=offer.partner.partner_id,
        account=offer.account,
        point_type=offer.point_type,
        points=offer.points,
        units=offer.units,
        fee=offer.fee,
        sent_at=transaction.posted_at,
    )


def take_back(redemption: UUID, *, whole: bool, reason: str | None, at: datetime) -> None:
    """Let an exchange fail because its redemption is reversed; a step, under the book's lock.

    :raises ExchangeSettled: if the units were given.
    :raises ValidationFailed: if only a part would be reversed.
    """
    row = locked(redemption)
    if row.status == Exchange.Status.DONE:
        raise ExchangeSettled(row.status)
    if not whole:
        message = "An exchange is taken back whole."
        raise ValidationFailed([FieldError("/points", "NOT_HERE", message)])
    if row.status == Exchange.Status.SENT:
        mark(row, Exchange.Status.FAILED, reason=reason or "", at=at)


def locked(redemption: UUID) -> Exchange:
    """Return the exchange of a redemption, locked until the transaction ends; a step.

    :raises ExchangeNotFound: if there is none.
    """
    assert connection.in_atomic_block
    row = Exchange.objects.select_for_update().filter(pk=redemption).first()
    if row is None:
        raise ExchangeNotFound
    return row


def mark(row: Exchange, status: str, *, reason: str, at: datetime) -> None:
    """Note what became of a locked exchange; a step."""
    row.status, row.reason, row.settled_at = status, reason, at
    row.save(update_fields=["status", "reason", "settled_at"])


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)
