"""Vouchers and tickets that a posting gave, as they are answered."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from ledger.kernel.dates import last_valid_date
from ledger.queries.configuration import Configuration
from loyalty.api.fields import Answer
from loyalty.caller import Caller, CallerKind
from vouchers import codes
from vouchers.models import Voucher


class VoucherGiven(Answer, kw_only=True):
    """A voucher that a promotion gave. The code is whole for its member and for who issued it."""

    id: UUID
    code: str
    valid_from: datetime | None
    expires_at: datetime | None
    last_valid_date: date | None


class RewardAnswer(Answer, kw_only=True):
    """What one promotion version gave beside points."""

    promotion: str
    version: int
    kind: str
    code: str
    quantity: int
    vouchers: list[VoucherGiven] = []
    tickets: list[int] = []


class _Voucher(msgspec.Struct):
    id: UUID
    valid_from: datetime | None
    expires_at: datetime | None


class _Row(msgspec.Struct):
    promotion: str
    version: int
    kind: str
    code: str
    quantity: int
    vouchers: list[_Voucher] = []
    tickets: list[int] = []


def rewards_answer(
    rows: Iterable[Mapping[str, Any]], *, whole: bool, settings: Configuration
) -> list[dict[str, Any]]:
    """Return the rewards of a posting as they were issued; one query if there are vouchers."""
    found = [msgspec.convert(row, _Row) for row in rows]
    ids = [each.id for row in found for each in row.vouchers]
    shown = _codes(ids, whole=whole) if ids else {}
    answers = [
        RewardAnswer(
            promotion=row.promotion,
            version=row.version,
            kind=row.kind,
            code=row.code,
            quantity=row.quantity,
            vouchers=[
                VoucherGiven(
                    id=each.id,
                    code=shown[each.id],
                    valid_from=each.valid_from,
                    expires_at=each.expires_at,
                    last_valid_date=last_valid_date(each.expires_at, settings.zone),
                )
                for each in row.vouchers
            ],
            tickets=row.tickets,
        )
        for row in found
        if row.quantity > 0
    ]
    return [msgspec.to_builtins(each) for each in answers]


def promised(result: Mapping[str, Any], settings: Configuration) -> list[dict[str, Any]]:
    """Return the rewards of an evaluation that issued nothing. No query."""
    return rewards_answer(result.get("rewards", []), whole=False, settings=settings)


def sees_codes(caller: Caller, partner_id: int) -> bool:
    """Return whether a caller sees whole codes of what a partner's posting issued."""
    own = caller.kind is CallerKind.MEMBER or caller.house
    return own or partner_id == caller.partner_id


def _codes(ids: list[UUID], *, whole: bool) -> dict[UUID, str]:
    rows = Voucher.objects.filter(pk__in=ids).only("pk", "code_sealed", "hint")
    return {
        row.pk: codes.unseal(row.code_sealed) if whole else codes.masked(row.hint) for row in rows
    }
