"""What became of an exchange: the units are there, or it failed and the points go back."""

from datetime import datetime
from uuid import UUID

from django.db import connection

from ledger.models import Transaction
from ledger.queries.books import Lots
from ledger.services import exchange, posting
from ledger.services.originals import Original
from ledger.services.reversal import ReversalRequest, post_redemption_reversal
from loyalty.services.use_case import use_case
from partners.errors import ExchangeNotFound, ExchangeSettled
from partners.models import Exchange


@use_case
def settle_exchange(
    redemption: UUID, status: str, *, partner_id: int | None, reason: str, at: datetime
) -> Exchange:
    """Note that an exchange is DONE, or FAILED; see `settle`."""
    return settle(redemption, status, partner_id=partner_id, reason=reason, at=at)


def settle(
    redemption: UUID, status: str, *, partner_id: int | None, reason: str, at: datetime
) -> Exchange:
    """Note that an exchange is DONE, or FAILED, which reverses its redemption; a step.

    `partner_id` is the exchange partner that says so; None is the programme. Saying the same again
    changes nothing.

    :raises ExchangeNotFound: if there is none, or it is another partner's.
    :raises ExchangeSettled: if it came out otherwise.
    """
    assert connection.in_atomic_block
    seen = Exchange.objects.filter(pk=redemption).first()
    if seen is None or partner_id not in (None, seen.partner_id):
        raise ExchangeNotFound
    if status == Exchange.Status.DONE:
        row = exchange.locked(redemption)
        if row.status == Exchange.Status.SENT:
            exchange.mark(row, status, reason=reason, at=at)
        return _as_said(row, status)
    book = posting.lock({"id": seen.member_id}, at=at, lots=Lots.ALL)
    row = exchange.locked(redemption)
    if row.status == Exchange.Status.SENT:
        _give_back(book, row, reason=reason, at=at)
        row.refresh_from_db()
    return _as_said(row, status)


def _as_said(row: Exchange, status: str) -> Exchange:
    if row.status != status:
        raise ExchangeSettled(row.status)
    return row


def _give_back(book: posting.LockedBook, row: Exchange, *, reason: str, at: datetime) -> None:
    original = Transaction.objects.get(pk=row.pk)
    posting.settle(book)
    request = ReversalRequest(
        original=Original(None, id=row.pk),
        partner_id=original.partner_id,
        reference=None,
        digest=b"",
        occurred_at=at,
        reason=reason or "The exchange failed.",
    )
    post_redemption_reversal(book, original, request)
    posting.write(book)
