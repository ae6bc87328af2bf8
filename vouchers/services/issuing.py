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
        fill(each.voucher, order, at)
    store(kind, [each.voucher for each in issued])
    return issued


def store(kind: VoucherType, vouchers: list[Voucher]) -> None:
    """Write vouchers of one type that were issued, and announce them; a step."""
    assert connection.in_atomic_block
    if kind.codes == VoucherType.Codes.IMPORTED:
        Voucher.objects.bulk_update(vouchers, _ISSUED_FIELDS)
    else:
        Voucher.objects.bulk_create(vouchers)
    outbox.record_many(
        [_event("voucher.issued", each, each.issued_at) for each in vouchers if each.issued_at]
    )


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


def fill(voucher: Voucher, order: Issue, at: datetime) -> None:
    """Make a voucher the one that was ordered; it is not stored yet."""
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
    rows = locked(Voucher.objects.filter(origin_id=origin_id))
    used = [row for row in rows if was_used(row)]
    if used and refuse_used:
        raise VoucherUsed(vouchers=[codes.masked(row.hint) for row in used])
    return _cancel(rows, at)


def cancel(voucher_ids: Iterable[UUID], *, at: datetime) -> list[Voucher]:
    """Cancel these vouchers, but for those that were used; a step. Return those cancelled."""
    return _cancel(locked(Voucher.objects.filter(pk__in=list(voucher_ids))), at)


def locked(vouchers: QuerySet[Voucher]) -> list[Voucher]:
    """Lock vouchers by id and return them with their types; a step."""
    assert connection.in_atomic_block
    rows = vouchers.select_for_update(of=("self",)).select_related("voucher_type")
    return list(rows.order_by("pk"))


_OVER = (Status.CANCELLED, Status.EXPIRED, Status.POOL)


def _cancel(rows: list[Voucher], at: datetime) -> list[Voucher]:
    cancelled = [row for row in rows if not was_used(row) and status_of(row, at) not in _OVER]
    void(cancelled, at=at)
    return cancelled


def void(vouchers: list[Voucher], *, at: datetime) -> None:
    """Cancel locked vouchers whatever they are, and put back into stock those nobody used; a step.

    A voucher that was used up keeps that status; its use undone, it is cancelled.
    """
    assert connection.in_atomic_block
    ended = [row for row in vouchers if row.status != Status.USED]
    for row in vouchers:
        row.cancelled_at = at
    for row in ended:
        row.status, row.reserved_until = Status.CANCELLED, None
    Voucher.objects.bulk_update(vouchers, ["status", "cancelled_at", "reserved_until"])
    tell_many("voucher.cancelled", ended, at)
    unused = [row for row in ended if not was_used(row)]
    for kind in sorted({row.voucher_type for row in unused}, key=lambda kind: kind.pk):
        if kind.codes == VoucherType.Codes.GENERATED:
            stock.give_back(kind, sum(row.voucher_type_id == kind.pk for row in unused))


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
    outbox.record_many([_event(event, each, at) for each in vouchers])


def _event(event: str, voucher: Voucher, at: datetime) -> OutboxEvent:
    return OutboxEvent(
        type=event,
        object_id=voucher.pk,
        created_at=at,
        member_id=voucher.member_id,
        partner_id=voucher.partner_id,
    )
