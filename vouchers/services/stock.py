"""The stock of a voucher type: never issued beyond it, and nothing of it left behind."""

import random
from collections.abc import Iterable

from django.db import connection
from django.db.models import Count, F, Sum

from vouchers.errors import OutOfStock
from vouchers.models import Voucher, VoucherStock, VoucherType


def set_stock(voucher_type: VoucherType, left: int | None) -> None:
    """Let `left` more be issued, shared over the slots; None: without a limit; a step."""
    assert connection.in_atomic_block
    list(
        VoucherStock.objects.filter(voucher_type=voucher_type).select_for_update().order_by("slot")
    )
    VoucherStock.objects.filter(voucher_type=voucher_type).delete()
    if left is not None:
        each, more = divmod(left, VoucherStock.SLOTS)
        VoucherStock.objects.bulk_create(
            VoucherStock(voucher_type=voucher_type, slot=slot, left=each + (slot < more))
            for slot in range(VoucherStock.SLOTS)
        )


def claim(voucher_type: VoucherType, quantity: int) -> None:
    """Take `quantity` out of the stock, from one random slot or, if that lacks, from all; a step.

    All slots are locked in order before the last ones are taken, so that the answer is exact.

    :raises OutOfStock: if fewer are left; nothing is taken then.
    """
    assert connection.in_atomic_block
    if _claim_from_one(voucher_type, quantity):
        return
    rows = _locked(voucher_type)
    left = sum(row.left for row in rows)
    if rows and left < quantity:
        raise OutOfStock(left=left)
    _take(rows, quantity)


def claim_up_to(voucher_type: VoucherType, quantity: int) -> int:
    """Take `quantity` out of the stock, or what is left of it; return how many; a step."""
    assert connection.in_atomic_block
    if _claim_from_one(voucher_type, quantity):
        return quantity
    rows = _locked(voucher_type)
    if not rows:
        return quantity
    taken = min(quantity, sum(row.left for row in rows))
    _take(rows, taken)
    return taken


# A slot that another till is changing is passed over: to wait for it, and find too little in it
# then, would keep it locked while all are locked in order.
_CLAIM = """
UPDATE vouchers_voucherstock SET "left" = "left" - %(quantity)s WHERE id = (
    SELECT id FROM vouchers_voucherstock
    WHERE voucher_type_id = %(type)s AND "left" >= %(quantity)s
    ORDER BY (slot + %(first)s) %% %(slots)s LIMIT 1 FOR UPDATE SKIP LOCKED)
"""


def _claim_from_one(voucher_type: VoucherType, quantity: int) -> bool:
    first = random.randrange(VoucherStock.SLOTS)  # noqa: S311 to spread the tills, no secret
    wanted = {
        "type": voucher_type.pk,
        "quantity": quantity,
        "first": first,
        "slots": VoucherStock.SLOTS,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, wanted)
        return bool(cursor.rowcount)


def _locked(voucher_type: VoucherType) -> list[VoucherStock]:
    slots = VoucherStock.objects.filter(voucher_type=voucher_type)
    return list(slots.select_for_update().order_by("slot"))


def _take(rows: Iterable[VoucherStock], quantity: int) -> None:
    for row in rows:
        taken = min(row.left, quantity)
        if taken:
            VoucherStock.objects.filter(pk=row.pk).update(left=F("left") - taken)
            quantity -= taken


def give_back(voucher_type: VoucherType, quantity: int) -> None:
    """Put back what was claimed and then cancelled; a step."""
    slots = VoucherStock.objects.filter(voucher_type=voucher_type)
    slot = random.randrange(VoucherStock.SLOTS)  # noqa: S311
    slots.filter(slot=slot).update(left=F("left") + quantity)


def left_of(type_ids: Iterable[int]) -> dict[int, int]:
    """Return how many can still be issued, by type; one not there has no limit."""
    wanted = list(type_ids)
    slots = VoucherStock.objects.filter(voucher_type__in=wanted).values_list("voucher_type")
    found = dict(slots.annotate(left=Sum("left")))
    pooled = VoucherType.objects.filter(pk__in=wanted, codes=VoucherType.Codes.IMPORTED)
    found |= dict.fromkeys(pooled.values_list("pk", flat=True), 0)
    pool = Voucher.objects.filter(voucher_type__in=wanted, status=Voucher.Status.POOL)
    return found | dict(pool.values_list("voucher_type").annotate(left=Count("pk")))


def take_from_pool(voucher_type: VoucherType, quantity: int) -> list[Voucher]:
    """Take imported codes, those first that nobody else is taking; a step.

    :raises OutOfStock: if fewer are left.
    """
    taken = take_up_to(voucher_type, quantity)
    if len(taken) < quantity:
        raise OutOfStock(left=len(taken))
    return taken


def take_up_to(voucher_type: VoucherType, quantity: int) -> list[Voucher]:
    """Take imported codes, or as many as there are; a step."""
    assert connection.in_atomic_block
    pool = Voucher.objects.filter(voucher_type=voucher_type, status=Voucher.Status.POOL)
    taken = list(pool.select_for_update(skip_locked=True).order_by("pk")[:quantity])
    if len(taken) < quantity:  # Others may give theirs back: wait for them before saying no.
        taken = list(pool.select_for_update().order_by("pk")[:quantity])
    return taken


def import_codes(voucher_type: VoucherType, found: Iterable[Voucher]) -> int:
    """Put codes into the pool, but for those that are known; return how many were new."""
    before = Voucher.objects.filter(voucher_type=voucher_type).count()
    Voucher.objects.bulk_create(found, ignore_conflicts=True, batch_size=5_000)
    return Voucher.objects.filter(voucher_type=voucher_type).count() - before
