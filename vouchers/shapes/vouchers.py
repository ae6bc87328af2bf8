"""A voucher as it is answered and told."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from ledger.kernel.dates import last_valid_date
from ledger.queries.configuration import Configuration
from loyalty.api.fields import Answer, Money
from vouchers.models import Voucher
from vouchers.queries.vouchers import status_of


class UseAnswer(Answer, kw_only=True):
    """A use of a voucher; where it was is told to the partner that took it."""

    id: UUID
    at: datetime
    amount: Money | None
    partner: str | None
    outlet: str | None
    reference: str | None


class VoucherAnswer(Answer, kw_only=True):
    """A voucher. The code is whole for its member and for who issued it, else its end."""

    id: UUID
    code: str
    voucher_type: str
    name: str
    status: str
    gives: str
    value: Money | None
    left: Money | None
    percent: str | None
    product: str | None
    text: str | None
    origin: str | None
    issued_at: datetime | None
    valid_from: datetime | None
    expires_at: datetime | None
    last_valid_date: date | None
    uses: list[UseAnswer] | msgspec.UnsetType = msgspec.UNSET


def money(amount: Decimal | None, currency: str) -> Money | None:
    """Return an amount as it is answered; None for none."""
    return None if amount is None else Money(amount=f"{amount:.2f}", currency=currency)


def voucher_answer(
    voucher: Voucher, code: str, at: datetime, settings: Configuration
) -> VoucherAnswer:
    """Return a voucher as it is answered, with its status at `at`."""
    kind = voucher.voucher_type
    return VoucherAnswer(
        id=voucher.pk,
        code=code,
        voucher_type=kind.code,
        name=kind.name,
        status=status_of(voucher, at),
        gives=kind.gives,
        value=money(kind.value, kind.currency),
        left=money(voucher.left, kind.currency),
        percent=f"{kind.percent:.2f}" if kind.percent is not None else None,
        product=kind.product or None,
        text=kind.text or None,
        origin=voucher.origin or None,
        issued_at=voucher.issued_at,
        valid_from=voucher.valid_from,
        expires_at=voucher.expires_at,
        last_valid_date=last_valid_date(voucher.expires_at, settings.zone),
    )
