"""Vouchers that promotions give, for many members at once, and what becomes of them on a return.

Nobody is refused: where there are fewer than were to be given, fewer are, and it is said why.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Count

from vouchers import codes
from vouchers.models import Voucher, VoucherType
from vouchers.queries.vouchers import status_of
from vouchers.services import issuing, stock
from vouchers.services.issuing import Issue

Status = Voucher.Status


@dataclass(slots=True, kw_only=True)
class Gift:
    """Vouchers of one type that a promotion, or luck, gives a member whose book is locked.

    `vouchers` are what was issued, and `short` says why they are fewer than `quantity`.
    """

    voucher_type: str
    member_id: int
    partner_id: int
    quantity: int
    origin_id: UUID
    at: datetime
    origin: str = Voucher.Origin.PROMOTION
    vouchers: list[Voucher] = field(default_factory=list)
    short: str | None = None


def give(gifts: Sequence[Gift]) -> None:
    """Issue what the gifts say, those of one type in their order, types by id; a step.

    Few statements for each type, however many gifts there are.
    """
    assert connection.in_atomic_block
    wanted = {gift.voucher_type for gift in gifts}
    known = {kind.code: kind for kind in VoucherType.objects.filter(code__in=wanted)}
    for kind in sorted(known.values(), key=lambda kind: kind.pk):
        _give_of(kind, [gift for gift in gifts if gift.voucher_type == kind.code])
    for gift in gifts:
        if gift.voucher_type not in known:
            gift.short = "VOUCHER_TYPE_UNKNOWN"


def _give_of(kind: VoucherType, gifts: Sequence[Gift]) -> None:
    held = _held(kind, {gift.member_id for gift in gifts})
    shares: list[tuple[Gift, int]] = []
    for gift in gifts:
        if not _offered(kind, gift.at):
            gift.short = "VOUCHER_TYPE_UNKNOWN"
            continue
        share = gift.quantity
        if kind.per_member is not None:
            got = held.get(gift.member_id, 0)
            share = max(0, min(share, kind.per_member - got))
            held[gift.member_id] = got + share
            if share < gift.quantity:
                gift.short = "VOUCHER_LIMIT"
        shares.append((gift, share))
    there = _take(kind, sum(share for _, share in shares))
    for gift, share in shares:
        gift.vouchers = [each for each, _ in zip(there, range(share), strict=False)]
        there = there[len(gift.vouchers) :]
        if len(gift.vouchers) < share:
            gift.short = "OUT_OF_STOCK"
        order = Issue(
            voucher_type=kind,
            member_id=gift.member_id,
            partner_id=gift.partner_id,
            quantity=len(gift.vouchers),
            origin=gift.origin,
            origin_id=gift.origin_id,
        )
        for voucher in gift.vouchers:
            issuing.fill(voucher, order, gift.at)
    issued = [voucher for gift, _ in shares for voucher in gift.vouchers]
    if issued:
        issuing.store(kind, issued)


def _offered(kind: VoucherType, at: datetime) -> bool:
    begun = kind.active_from is None or kind.active_from <= at
    return kind.active and begun and (kind.active_to is None or at < kind.active_to)


def _held(kind: VoucherType, member_ids: Iterable[int]) -> dict[int, int]:
    """Return how many of a type members have got, where that is limited."""
    if kind.per_member is None:
        return {}
    got = Voucher.objects.filter(member_id__in=member_ids, voucher_type=kind)
    got = got.exclude(status=Status.CANCELLED).order_by()
    return dict(got.values_list("member_id").annotate(got=Count("pk")))


def _take(kind: VoucherType, quantity: int) -> list[Voucher]:
    if not quantity:
        return []
    if kind.codes == VoucherType.Codes.IMPORTED:
        return stock.take_up_to(kind, quantity)
    count = stock.claim_up_to(kind, quantity)
    return [issuing.blank(kind, codes.make(kind.prefix)) for _ in range(count)]


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A voucher of a sale that was taken back, and how it was found.

    CANCELLED: nobody had used it. PARTLY_USED: the rest of it is cancelled. USED and EXPIRED ones
    stay what they are; should the use be undone, the voucher is cancelled with it.
    """

    voucher: Voucher
    treated: str


def take_back(
    quantities: Mapping[int, tuple[Sequence[UUID], int]], *, at: datetime
) -> dict[int, list[TakenBack]]:
    """Take back so many of each of these lists of vouchers; a step, after the member's book.

    Of a list those go first that nobody has used, the last issued first. What is answered has the
    keys of `quantities`.
    """
    wanted = [key for keys, _ in quantities.values() for key in keys]
    rows = issuing.locked(Voucher.objects.filter(pk__in=wanted))
    found = {row.pk: TakenBack(row, _treatment(row, at)) for row in rows}
    taken = {
        name: list(_last_first([found[key] for key in keys if key in found], quantity))
        for name, (keys, quantity) in quantities.items()
    }
    ended = [
        each.voucher
        for of_name in taken.values()
        for each in of_name
        if each.voucher.status not in (Status.CANCELLED, Status.EXPIRED)
        and each.treated != "EXPIRED"
    ]
    if ended:
        issuing.void(ended, at=at)
    return taken


def give_back(voucher_ids: Iterable[UUID], *, taken_at: datetime, at: datetime) -> list[Voucher]:
    """Bring back what a return took at `taken_at`, now that the return is undone; a step.

    What has gone out of stock meanwhile stays cancelled. Return those that are back.
    """
    wanted = Voucher.objects.filter(pk__in=list(voucher_ids), cancelled_at=taken_at)
    back = [row for row in issuing.locked(wanted) if _is_there(row)]
    revived = [row for row in back if row.status == Status.CANCELLED]
    for row in back:
        row.cancelled_at = None
    for row in revived:
        row.status = Status.ISSUED
    Voucher.objects.bulk_update(back, ["status", "cancelled_at"])
    issuing.tell_many("voucher.issued", revived, at)
    return back


def _is_there(row: Voucher) -> bool:
    """Claim a cancelled voucher from the stock that it went back to, if it did."""
    kind = row.voucher_type
    returned = row.status == Status.CANCELLED and not issuing.was_used(row)
    if not returned or kind.codes == VoucherType.Codes.IMPORTED:
        return True
    return bool(stock.claim_up_to(kind, 1))


def _last_first(found: list[TakenBack], quantity: int) -> Iterator[TakenBack]:
    ranks = {"CANCELLED": 0, "PARTLY_USED": 1, "USED": 2, "EXPIRED": 3}
    latest = found[::-1]
    yield from sorted(latest, key=lambda each: ranks[each.treated])[:quantity]


def _treatment(voucher: Voucher, at: datetime) -> str:
    status = status_of(voucher, at)
    if status == Status.USED:
        return "USED"
    if status == Status.EXPIRED:
        return "EXPIRED"
    return "PARTLY_USED" if issuing.was_used(voucher) else "CANCELLED"
