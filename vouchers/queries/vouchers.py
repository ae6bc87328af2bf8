"""Vouchers as they stand at an instant, whatever the job has written so far."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from vouchers import codes
from vouchers.models import Voucher, VoucherType, VoucherUse

Status = Voucher.Status


def status_of(voucher: Voucher, at: datetime) -> str:
    """Return a voucher's status at an instant. A till's hold outlasts the voucher's own end."""
    if voucher.status == Status.RESERVED:
        assert voucher.reserved_until is not None
        if voucher.reserved_until > at:
            return Status.RESERVED
    if voucher.status in (Status.ISSUED, Status.RESERVED):
        over = voucher.expires_at is not None and voucher.expires_at <= at
        return Status.EXPIRED if over else Status.ISSUED
    return voucher.status


def find(code: str) -> Voucher | None:
    """Return the voucher of a code that somebody has, with its type; None if there is none."""
    return (
        Voucher.objects.select_related("voucher_type")
        .exclude(status=Status.POOL)
        .filter(code_hash=codes.hash_of(code))
        .first()
    )


def _standing_at(status: str, at: datetime) -> Q:
    """Return the condition that `status_of` is this status at an instant."""
    over = Q(expires_at__lte=at)
    live = Q(expires_at=None) | Q(expires_at__gt=at)
    free = Q(status=Status.ISSUED) | Q(status=Status.RESERVED, reserved_until__lte=at)
    if status == Status.ISSUED:
        return free & live
    if status == Status.EXPIRED:
        return Q(status=Status.EXPIRED) | (free & over)
    if status == Status.RESERVED:
        return Q(status=Status.RESERVED, reserved_until__gt=at)
    return Q(status=status)


def vouchers_of_member(
    member_id: int,
    *,
    at: datetime,
    before: UUID | None = None,
    at_most: int,
    origin: str | None = None,
    status: str | None = None,
) -> list[Voucher]:
    """Return a member's vouchers, the newest first, after the one of a cursor. One query.

    `status` is that at `at`.
    """
    rows = Voucher.objects.filter(member_id=member_id).select_related("voucher_type", "partner")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    if origin is not None:
        rows = rows.filter(origin=origin)
    if status is not None:
        rows = rows.filter(_standing_at(status, at))
    return list(rows.order_by("-pk")[:at_most])


def types_offered(at: datetime) -> list[VoucherType]:
    """Return the voucher types that are issued at an instant, by code. One query."""
    return list(
        VoucherType.objects.select_related("point_type")
        .filter(
            Q(active_from=None) | Q(active_from__lte=at),
            Q(active_to=None) | Q(active_to__gt=at),
            active=True,
        )
        .order_by("code")
    )


def uses_of(voucher_ids: Iterable[UUID]) -> dict[UUID, list[VoucherUse]]:
    """Return the uses of vouchers, in the order of time, by voucher. One query."""
    found: dict[UUID, list[VoucherUse]] = {}
    rows = VoucherUse.objects.filter(
        voucher__in=list(voucher_ids), state=VoucherUse.State.USED
    ).select_related("partner")
    for row in rows.order_by("at", "pk"):
        found.setdefault(row.voucher_id, []).append(row)
    return found
