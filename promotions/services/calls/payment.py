"""What pays for the lines of a composite call: returned items, vouchers, points, and the till.

Everything here decides and writes nothing: amounts are in minor units of the basket's currency.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from ledger.errors import NoRate
from ledger.queries.books import OpenBook
from ledger.queries.configuration import Configuration
from ledger.services import burning
from ledger.services.burning import Burn, Priced, Spender
from loyalty.errors import FieldError, LoyaltyError, ValidationFailed
from loyalty.money import places
from promotions.engine.basket import Basket
from promotions.engine.money import to_minor, to_text
from promotions.errors import CurrencyDiffers, MoreThanDue, TendersMismatch
from vouchers.models import Voucher, VoucherType
from vouchers.services import authentication
from vouchers.services.authentication import AtTill

# What was returned pays like money, under every version; what nobody said a tender of, too.
RETURNED, UNSAID = "RETURNED", "UNSAID"


@dataclass(frozen=True, slots=True)
class VoucherToUse:
    """A voucher shown with a purchase; `original` names the till's own hold on it."""

    id: UUID
    amount: str | None = None
    original: UUID | str | None = None


@dataclass(slots=True)
class Bill:
    """What the lines cost, what is paid of it so far, and by what."""

    currency: str
    cost: int
    refunded: int = 0
    by_vouchers: int = 0
    by_points: int = 0

    @property
    def due(self) -> int:
        """What the lines cost less what comes back; below zero the customer gets money."""
        return self.cost - self.refunded

    @property
    def to_pay(self) -> int:
        """What vouchers and points leave to pay; below zero the customer gets money."""
        return self.due - self.by_vouchers - self.by_points

    def text(self, minor: int) -> str:
        """Return an amount as decimal text."""
        return to_text(minor, self.currency)

    def take(self, amount: int, pointer: str) -> int:
        """Return an amount that something pays.

        :raises MoreThanDue: if it is more than is left to pay.
        """
        if amount > max(0, self.to_pay):
            left = self.text(max(0, self.to_pay))
            raise MoreThanDue(pointer=pointer, pays=self.text(amount), left=left)
        return amount

    def minor(self, text: str, pointer: str) -> int:
        """Return decimal text in minor units.

        :raises ValidationFailed: if it has more places than the basket's currency.
        """
        try:
            return to_minor(text, self.currency)
        except ValueError as error:
            raise ValidationFailed([FieldError(pointer, "OUT_OF_RANGE", f"{error}.")]) from None

    def same_currency(self, currency: str, pointer: str) -> None:
        """:raises CurrencyDiffers: if this is not the basket's currency."""
        if currency != self.currency:
            raise CurrencyDiffers(pointer=pointer, currency=currency, wanted=self.currency)


@dataclass(frozen=True, slots=True)
class DraftedVoucher:
    """A voucher as its use leaves it, and what it pays; `till` is how the use is then written."""

    voucher: Voucher
    till: AtTill
    told: dict[str, Any]


def draft_vouchers(
    wanted: Sequence[VoucherToUse], till: AtTill, bill: Bill, *, at: datetime
) -> list[DraftedVoucher]:
    """Decide the use of vouchers in the order in which they were shown. Two queries for each.

    One that is used in parts pays what is asked, or what is left to pay; another value voucher
    is used up, and pays at most what is left to pay. What is no money pays nothing: the till has
    taken it off its lines.

    :raises VoucherNotFound, VoucherUsed, VoucherReserved, VoucherExpired, VoucherNotHere,
        VoucherTooSmall, UseNotFound, ValidationFailed: see `authentication.draft_use`.
    :raises CurrencyDiffers, MoreThanDue: if it cannot pay here.
    """
    for place, each in enumerate(wanted):
        if each.id in {other.id for other in wanted[:place]}:
            message = "A voucher is shown once."
            raise ValidationFailed([FieldError(f"/vouchers/{place}/code", "REPEATED", message)])
    return [_draft_voucher(each, place, till, bill, at) for place, each in enumerate(wanted)]


def _draft_voucher(
    wanted: VoucherToUse, place: int, till: AtTill, bill: Bill, at: datetime
) -> DraftedVoucher:
    pointer = f"/vouchers/{place}"
    voucher = Voucher.objects.select_related("voucher_type").get(pk=wanted.id)
    kind = voucher.voucher_type
    pays = kind.gives == VoucherType.Gives.AMOUNT
    amount = None
    if wanted.amount is not None:
        bill.minor(wanted.amount, f"{pointer}/amount")
        amount = Decimal(wanted.amount)
    mine = replace(till, original=wanted.original, amount=amount)
    try:
        if pays and kind.in_parts and amount is None and voucher.left:
            rest = Decimal(max(0, bill.to_pay)).scaleb(-places(bill.currency))
            mine = replace(mine, amount=min(voucher.left, rest) or voucher.left)
        drafted = authentication.draft_use(voucher, mine, at=at)
    except ValidationFailed as refusal:
        raise ValidationFailed([_placed(each, pointer) for each in refusal.errors]) from None
    except LoyaltyError as refusal:
        refusal.extra.setdefault("pointer", pointer)
        raise
    paid = 0
    if pays:
        bill.same_currency(kind.currency, pointer)
        worth = bill.minor(f"{drafted.amount or 0}", pointer)
        paid = worth if kind.in_parts or bill.to_pay <= 0 else min(worth, bill.to_pay)
        bill.by_vouchers += bill.take(paid, pointer)
    return DraftedVoucher(voucher, mine, _voucher_told(voucher, bill.text(paid) if pays else None))


def _placed(error: FieldError, pointer: str) -> FieldError:
    """Return what is wrong with a voucher at its place in the body; the member stands beside it."""
    own = error.pointer if error.pointer == "/member" else f"{pointer}{error.pointer}"
    return FieldError(own, error.code, error.message)


def _voucher_told(voucher: Voucher, used: str | None) -> dict[str, Any]:
    """Return a voucher as it is answered and kept, but for its code."""
    kind = voucher.voucher_type
    currency = kind.currency
    return {
        "voucher_type": kind.code,
        "status": voucher.status,
        "used": None if used is None else {"amount": used, "currency": currency},
        "left": (
            None
            if voucher.left is None
            else {"amount": f"{voucher.left:.2f}", "currency": currency}
        ),
        "gives": kind.gives,
        "percent": None if kind.percent is None else f"{kind.percent:.2f}",
        "product": kind.product or None,
        "text": kind.text or None,
    }


@dataclass(slots=True)
class DraftedBurn:
    """Points that are to be burned, what they pay, and what of them is owed."""

    parts: list[Priced] = field(default_factory=list)
    credit: list[int] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)


def decide_burn(
    book: OpenBook,
    burns: Sequence[Burn],
    spender: Spender,
    bill: Bill,
    settings: Configuration,
) -> DraftedBurn:
    """Decide what points pay, in order. The limits of the point types count all of them together.

    :raises InsufficientPoints, NotRedeemable, BelowMinimum, OffStep, LimitReached, NoRate,
        PointTypeUnknown, LockNotFound, LockResolved, OfflineFloor: see `ledger.services.burning`.
    :raises CurrencyDiffers, MoreThanDue: if they cannot pay here.
    """
    drafted = DraftedBurn()
    for place, burn in enumerate(burns):
        pointer = f"/burn/{place}"
        if burn.value is not None:
            bill.same_currency(burn.currency or bill.currency, f"{pointer}/value")
            bill.minor(str(burn.value), f"{pointer}/value/amount")
        wanted = replace(burn, currency=bill.currency)
        part = burning.priced(wanted, settings, spender.occurred_at)
        if part.value is None:
            raise NoRate(currency=bill.currency, at=spender.occurred_at)
        worth = int(part.value.scaleb(places(bill.currency)))
        bill.by_points += bill.take(worth, pointer)
        drafted.parts.append(part)
        drafted.told.append(
            {
                "type": part.point_type.code,
                "points": part.points,
                "value": {"amount": bill.text(worth), "currency": bill.currency},
                "lock": None if burn.lock is None else str(burn.lock),
            }
        )
    burning.check_amounts(book, drafted.parts, settings, spender.occurred_at)
    drafted.credit = burning.on_credit(book, drafted.parts, spender, settings)
    return drafted


def paid_basket(basket: Basket, bill: Bill) -> Basket:
    """Return a basket with the tenders that it was paid by, which sum to what its lines cost.

    The till's own tenders are compared with what vouchers, points and returned items leave to pay.

    :raises TendersMismatch: if it sends any, and they differ from that.
    """
    own = sum(
        bill.minor(amount, f"/tenders/{place}/amount")
        for place, (_, amount) in enumerate(basket.tenders)
    )
    left = max(0, bill.to_pay)
    if basket.tenders and own != left:
        raise TendersMismatch(
            tenders=bill.text(own), lines=bill.text(bill.cost), to_pay=bill.text(left)
        )
    added = [
        ("VOUCHER", bill.by_vouchers),
        ("POINTS", bill.by_points),
        (RETURNED, min(bill.refunded, bill.cost)),
    ]
    if not basket.tenders:
        if not any(amount for _, amount in added):
            return basket
        added.append((UNSAID, left))
    tenders = (*basket.tenders, *_texts(added, bill))
    return msgspec.structs.replace(basket, tenders=tenders)


def _texts(tenders: Iterable[tuple[str, int]], bill: Bill) -> Iterable[tuple[str, str]]:
    return ((kind, bill.text(amount)) for kind, amount in tenders if amount)
