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
    slots = VoucherStock.objects.filter(voucher_type=voucher_type)
    slot = random.randrange(VoucherStock.SLOTS)  # noqa: S311 to spread the tills, no secret
    if slots.filter(slot=slot, left__gte=quantity).update(left=F("left") - quantity):
        return
    rows = list(slots.select_for_update().order_by("slot"))
    if not rows:
        return
    left = sum(row.left for row in rows)
    if left < quantity:
        raise OutOfStock(left=left)
    for row in rows:
        taken = min(row.left, quantity)
        if taken:
            slots.filter(pk=row.pk).update(left=F("left") - taken)
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
    pool = Voucher.objects.filter(voucher_type=voucher_type, status=Voucher.Status.POOL)
    taken = list(pool.select_for_update(skip_locked=True).order_by("pk")[:quantity])
    if len(taken) < quantity:  # Others may give theirs back: wait for them before refusing.
        taken = list(pool.select_for_update().order_by("pk")[:quantity])
    if len(taken) < quantity:
        raise OutOfStock(left=len(taken))
    return taken


def import_codes(voucher_type: VoucherType, found: Iterable[Voucher]) -> int:
    """Put codes into the pool, but for those that are known; return how many were new."""
    before = Voucher.objects.filter(voucher_type=voucher_type).count()
    Voucher.objects.bulk_create(found, ignore_conflicts=True, batch_size=5_000)
    return Voucher.objects.filter(voucher_type=voucher_type).count() - before
