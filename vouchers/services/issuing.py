"""Issuing vouchers, from whatever gave them, and cancelling them again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import uuid_utils.compat
from django.db import connection
from django.db.models import QuerySet

from ledger.queries.configuration import configuration
from loyalty.models import OutboxEvent
from loyalty.services import outbox
from vouchers import codes, periods
from vouchers.errors import VoucherLimit, VoucherTypeUnknown, VoucherUsed
from vouchers.models import Voucher, VoucherType
from vouchers.queries.vouchers import status_of, types_offered
from vouchers.services import stock

Status = Voucher.Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """Vouchers to issue: how many of which type, for whom, by whom, and what they come from."""

    voucher_type: VoucherType
    member_id: int
    partner_id: int
    quantity: int
    origin: str
    origin_id: UUID
    valid_from: datetime | None = None
    valid_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A voucher with its code, which its member may see."""

    voucher: Voucher
    code: str


def offered_type(code: str, at: datetime) -> VoucherType:
    """Return a voucher type that is issued at an instant.

    :raises VoucherTypeUnknown: if there is none.
    """
    for found in types_offered(at):
        if found.code == code:
            return found
    raise VoucherTypeUnknown(code)


def issue(order: Issue, *, at: datetime) -> list[Issued]:
    """Issue vouchers to a member whose book is locked; a step.

    :raises OutOfStock: if fewer are left.
    :raises VoucherLimit: if the member would get more than one may have.
    """
    assert connection.in_atomic_block
    kind = order.voucher_type
    if kind.per_member is not None:
        got = Voucher.objects.filter(member_id=order.member_id, voucher_type=kind)
        held = got.exclude(status=Status.CANCELLED).count()
        if held + order.quantity > kind.per_member:
            raise VoucherLimit(at_most=kind.per_member, held=held)
    if kind.codes == VoucherType.Codes.IMPORTED:
        rows = stock.take_from_pool(kind, order.quantity)
        issued = [Issued(row, codes.unseal(row.code_sealed)) for row in rows]
    else:
        stock.claim(kind, order.quantity)
        made = [codes.make(kind.prefix) for _ in range(order.quantity)]
        issued = [Issued(blank(kind, code), code) for code in made]
    for each in issued:
        _fill(each.voucher, order, at)
    if kind.codes == VoucherType.Codes.IMPORTED:
        Voucher.objects.bulk_update([each.voucher for each in issued], _ISSUED_FIELDS)
    else:
        Voucher.objects.bulk_create(each.voucher for each in issued)
    tell_many("voucher.issued", [each.voucher for each in issued], at)
    return issued


_ISSUED_FIELDS = [
    "member",
    "partner",
    "status",
    "left",
    "origin",
    "origin_id",
    "issued_at",
    "valid_from",
    "expires_at",
]


def blank(kind: VoucherType, code: str) -> Voucher:
    """Return a voucher that nobody has, of a code; it is not stored."""
    return Voucher(
        id=uuid_utils.compat.uuid7(),
        voucher_type=kind,
        code_hash=codes.hash_of(code),
        code_sealed=codes.seal(code),
        hint=codes.plain(code)[-4:],
        status=Status.POOL,
    )


def _fill(voucher: Voucher, order: Issue, at: datetime) -> None:
    kind, start = order.voucher_type, order.valid_from or at
    voucher.member_id, voucher.partner_id = order.member_id, order.partner_id
    voucher.status, voucher.issued_at, voucher.valid_from = Status.ISSUED, at, start
    voucher.origin, voucher.origin_id = order.origin, order.origin_id
    voucher.left = kind.value if kind.gives == VoucherType.Gives.AMOUNT else None
    voucher.expires_at = order.valid_to
    if order.valid_to is None and kind.lives:
        voucher.expires_at = periods.end_after(start, kind.lives, 1, configuration().zone)


def vouchers_of(origin_id: UUID) -> list[Voucher]:
    """Return what was issued by a transaction or posting, in order. One query."""
    rows = Voucher.objects.filter(origin_id=origin_id).select_related("voucher_type")
    return list(rows.order_by("pk"))


def cancel_of(origin_id: UUID, *, at: datetime, refuse_used: bool) -> list[Voucher]:
    """Cancel the vouchers of a transaction that is taken back; a step. Return those cancelled.

    Used ones stay, or (`refuse_used`) refuse the whole.

    :raises VoucherUsed: if one was used and `refuse_used` says so; nothing is cancelled then.
    """
    rows = _locked(Voucher.objects.filter(origin_id=origin_id))
    used = [row for row in rows if was_used(row)]
    if used and refuse_used:
        raise VoucherUsed(vouchers=[codes.masked(row.hint) for row in used])
    return _cancel(rows, at)


def cancel(voucher_ids: Iterable[UUID], *, at: datetime) -> list[Voucher]:
    """Cancel these vouchers, but for those that were used; a step. Return those cancelled."""
    return _cancel(_locked(Voucher.objects.filter(pk__in=list(voucher_ids))), at)


def _locked(vouchers: QuerySet[Voucher]) -> list[Voucher]:
    assert connection.in_atomic_block
    rows = vouchers.select_for_update(of=("self",)).select_related("voucher_type")
    return list(rows.order_by("pk"))


_OVER = (Status.CANCELLED, Status.EXPIRED, Status.POOL)


def _cancel(rows: list[Voucher], at: datetime) -> list[Voucher]:
    cancelled = [row for row in rows if not was_used(row) and status_of(row, at) not in _OVER]
    for row in cancelled:
        row.status, row.cancelled_at, row.reserved_until = Status.CANCELLED, at, None
    Voucher.objects.bulk_update(cancelled, ["status", "cancelled_at", "reserved_until"])
    tell_many("voucher.cancelled", cancelled, at)
    for kind in {row.voucher_type for row in cancelled}:
        if kind.codes == VoucherType.Codes.GENERATED:
            stock.give_back(kind, sum(row.voucher_type_id == kind.pk for row in cancelled))
    return cancelled


def was_used(voucher: Voucher) -> bool:
    """Return whether a voucher was used, be it in part."""
    if voucher.status == Status.USED:
        return True
    return voucher.left is not None and voucher.left < (voucher.voucher_type.value or Decimal(0))


def tell(event: str, voucher: Voucher, at: datetime) -> None:
    """Announce what became of a voucher; a step."""
    tell_many(event, [voucher], at)


def tell_many(event: str, vouchers: Iterable[Voucher], at: datetime) -> None:
    """Announce what became of vouchers, in one statement; a step."""
    outbox.record_many(
        [
            OutboxEvent(
                type=event,
                object_id=each.pk,
                created_at=at,
                member_id=each.member_id,
                partner_id=each.partner_id,
            )
            for each in vouchers
        ]
    )
