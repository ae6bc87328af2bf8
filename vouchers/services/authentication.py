"""Vouchers at the till: checked, held, used once and once only, released, and undone.

Whoever uses a voucher locks its member's book, then its row, and judges it only then.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import uuid_utils.compat
from django.db import connection

from loyalty.errors import FieldError, LoyaltyError, ValidationFailed
from loyalty.services import attempts
from loyalty.services.attempts import Policy
from vouchers import periods
from vouchers.errors import (
    UseNotFound,
    VoucherExpired,
    VoucherNotFound,
    VoucherNotHere,
    VoucherReserved,
    VoucherTooSmall,
    VoucherUsed,
)
from vouchers.models import Voucher, VoucherUse
from vouchers.queries.vouchers import find, status_of
from vouchers.services import issuing

GUESSES = Policy("VOUCHER", 20, timedelta(minutes=1), timedelta(hours=1))
LONGEST_HOLD = timedelta(days=1)
Status = Voucher.Status
State = VoucherUse.State


@dataclass(frozen=True, slots=True, kw_only=True)
class AtTill:
    """Where a voucher is shown, by whom, and for what amount. `member_id`: whom the till named."""

    partner_id: int
    outlet: str | None
    reference: str
    member_id: int | None = None
    amount: Decimal | None = None
    until: datetime | None = None
    original: UUID | str | None = None
    sale: UUID | None = None


def look_up(code: str, *, client_id: str, at: datetime) -> Voucher:
    """Return the voucher of a code.

    Unknown codes are counted, in a transaction of their own. Known ones are not: a code has 80
    random bits, so a race of guesses gains nothing, and tills would queue for the count.

    :raises VoucherNotFound: if there is none.
    :raises LockedOut: if the client showed too many that there are not.
    """
    locked = attempts.locked_until(GUESSES, client_id, at=at)
    voucher = None if locked else find(code)
    if voucher is None:
        attempts.count(GUESSES, client_id, at=at)
        raise VoucherNotFound
    return voucher


def judge(voucher: Voucher, till: AtTill, *, at: datetime) -> None:
    """Refuse a voucher that cannot be used here and now.

    :raises VoucherNotFound: if it is another member's than the one named.
    :raises VoucherUsed, VoucherReserved, VoucherExpired, VoucherNotHere: as it stands.
    """
    if till.member_id is not None and voucher.member_id not in (None, till.member_id):
        raise VoucherNotFound
    status = status_of(voucher, at)
    if status == Status.USED:
        raise VoucherUsed(**_last_use(voucher, till.partner_id))
    if status == Status.RESERVED:
        raise VoucherReserved(until=voucher.reserved_until)
    if status in (Status.EXPIRED, Status.CANCELLED):
        raise VoucherExpired(status=status, detail=f"The voucher is {status.lower()}.")
    if voucher.valid_from is not None and voucher.valid_from > at:
        detail = f"The voucher is valid from {voucher.valid_from.isoformat()}."
        raise VoucherExpired(status="NOT_YET", detail=detail)
    kind = voucher.voucher_type
    partners = set(kind.partners.values_list("pk", flat=True))
    if partners and till.partner_id not in partners:
        raise VoucherNotHere
    if kind.outlets and till.outlet not in kind.outlets:
        raise VoucherNotHere
    if kind.needs_member and till.member_id is None:
        message = "This voucher is used by its member only: name the member."
        raise ValidationFailed([FieldError("/member", "MISSING_FIELD", message)])


def _last_use(voucher: Voucher, partner_id: int) -> dict[str, Any]:
    """Return when a voucher was used and, to the partner that took it, where."""
    use = voucher.uses.filter(state=State.USED).order_by("-at").first()
    if use is None:
        return {}
    told: dict[str, Any] = {"used_at": use.at}
    if use.partner_id == partner_id:
        told |= {"outlet": use.outlet or None, "used_reference": use.reference}
    return told


def check(voucher: Voucher, till: AtTill, *, at: datetime) -> LoyaltyError | None:
    """Return why a voucher cannot be used here and now; None if it can. Nothing is written."""
    try:
        judge(voucher, till, at=at)
        _amount(voucher, till)
    except VoucherNotFound:
        raise
    except LoyaltyError as refusal:
        return refusal
    return None


def locked(voucher_id: UUID) -> Voucher:
    """Lock one voucher and return it with its type; a step, after the member's book."""
    assert connection.in_atomic_block
    return (
        Voucher.objects.select_for_update(of=("self",))
        .select_related("voucher_type")
        .get(pk=voucher_id)
    )


def reserve(voucher: Voucher, till: AtTill, *, at: datetime) -> VoucherUse:
    """Hold a locked voucher for a till until it is used, released, or the time is over; a step."""
    judge(voucher, till, at=at)
    until = till.until or periods.after(at, voucher.voucher_type.reserved_for)
    if not at < until <= at + LONGEST_HOLD:
        message = "A voucher is held for up to a day."
        raise ValidationFailed([FieldError("/until", "OUT_OF_RANGE", message)])
    voucher.status, voucher.reserved_until = Status.RESERVED, until
    voucher.save(update_fields=["status", "reserved_until"])
    return _note(voucher, till, State.RESERVED, _amount(voucher, till), at, until=until)


@dataclass(frozen=True, slots=True)
class DraftedUse:
    """How much of a voucher a use takes (None: it has no amount), and the hold that it ends."""

    amount: Decimal | None
    hold: VoucherUse | None


def draft_use(voucher: Voucher, till: AtTill, *, at: datetime) -> DraftedUse:
    """Judge the use of a voucher and change it in memory alone; `use` writes it.

    :raises UseNotFound: if `original` names no hold of the till.
    :raises VoucherTooSmall: if less is left on it than the amount.
    """
    hold, own_end = None, voucher.expires_at
    if till.original is not None:
        hold = _of_till(voucher, till, State.RESERVED)
        # What was cancelled meanwhile stays so, and what another till holds since this hold ended.
        if voucher.status == Status.RESERVED and not _held_by_another(voucher, hold, at):
            voucher.status, voucher.reserved_until = Status.ISSUED, None
        if hold.until is not None and hold.until > at and own_end is not None:
            # The hold keeps a voucher alive whose own end came while the till was busy.
            voucher.expires_at = max(own_end, hold.until)
    judge(voucher, till, at=at)
    voucher.expires_at = own_end  # For this use alone: what is left, or undone, ends as it would.
    amount = _amount(voucher, till)
    if amount is not None:
        assert voucher.left is not None
        voucher.left -= amount
    done = not voucher.left or not voucher.voucher_type.in_parts
    voucher.status = Status.USED if done else Status.ISSUED
    return DraftedUse(amount, hold)


def use(voucher: Voucher, till: AtTill, *, at: datetime) -> VoucherUse:
    """Use a locked voucher, whole or in part; a step. `original` names the till's own hold.

    :raises UseNotFound, VoucherTooSmall: see `draft_use`.
    """
    drafted = draft_use(voucher, till, at=at)
    if drafted.hold is not None:
        drafted.hold.state, drafted.hold.ended_at = State.RELEASED, at
        drafted.hold.save(update_fields=["state", "ended_at"])
    voucher.save(update_fields=["status", "left", "reserved_until"])
    issuing.tell("voucher.used", voucher, at)
    return _note(voucher, till, State.USED, drafted.amount, at)


def release(voucher: Voucher, till: AtTill, *, at: datetime) -> VoucherUse:
    """Let go of a locked voucher that the till held; a step. A hold that ended is let go, too."""
    hold = _of_till(voucher, till, State.RESERVED)
    hold.state, hold.ended_at = State.RELEASED, at
    hold.save(update_fields=["state", "ended_at"])
    if voucher.status == Status.RESERVED and not _held_by_another(voucher, hold, at):
        voucher.status, voucher.reserved_until = Status.ISSUED, None
        voucher.save(update_fields=["status", "reserved_until"])
    return hold


def undo(voucher: Voucher, till: AtTill, *, at: datetime) -> VoucherUse:
    """Take the use of a locked voucher back, as when the sale is void; a step.

    :raises UseNotFound: if it is not the partner's, or too long ago.
    """
    found = _of_till(voucher, till, State.USED)
    if at > periods.after(found.at, voucher.voucher_type.undo_within):
        raise UseNotFound
    return undo_use(voucher, found, at=at)


def undo_use(voucher: Voucher, found: VoucherUse, *, at: datetime) -> VoucherUse:
    """Give back to a locked voucher what a use took; a step. It may have expired since.

    If what it came from was taken back meanwhile, it is cancelled now, and not alive again.
    """
    found.state, found.ended_at = State.UNDONE, at
    found.save(update_fields=["state", "ended_at"])
    if found.amount is not None:
        voucher.left = (voucher.left or Decimal(0)) + found.amount
    if voucher.status == Status.USED:
        voucher.status = Status.ISSUED
        if voucher.cancelled_at is not None:
            issuing.void([voucher], at=at)
    voucher.save(update_fields=["status", "left"])
    return found


def used_in(sale: UUID) -> list[VoucherUse]:
    """Return the uses that one call made, by voucher, with those undone since. One query."""
    return list(VoucherUse.objects.filter(sale=sale).order_by("voucher_id", "pk"))


def _held_by_another(voucher: Voucher, hold: VoucherUse, at: datetime) -> bool:
    others = voucher.uses.filter(state=State.RESERVED, until__gt=at).exclude(pk=hold.pk)
    return others.exists()


def _of_till(voucher: Voucher, till: AtTill, state: str) -> VoucherUse:
    """Return the hold or use that the till means, of its own partner.

    :raises UseNotFound: if there is none in this state.
    """
    uses = voucher.uses.filter(partner_id=till.partner_id, state=state)
    if isinstance(till.original, UUID):
        uses = uses.filter(pk=till.original)
    elif till.original is not None:
        uses = uses.filter(reference=till.original)
    found = uses.order_by("-at", "-pk").first()
    if found is None:
        raise UseNotFound
    return found


def _amount(voucher: Voucher, till: AtTill) -> Decimal | None:
    """Return how much of a voucher is used, in its currency: what is asked for, or all.

    :raises ValidationFailed: if a part is asked for where there are none.
    :raises VoucherTooSmall: if less is left.
    """
    if till.amount is None:
        return voucher.left
    if not voucher.voucher_type.in_parts:
        message = "This voucher is used as a whole: leave the amount out."
        raise ValidationFailed([FieldError("/amount", "NOT_IN_PARTS", message)])
    if not till.amount:
        raise ValidationFailed([FieldError("/amount", "OUT_OF_RANGE", "More than nothing.")])
    left = voucher.left or Decimal(0)
    if till.amount > left:
        raise VoucherTooSmall(left=f"{left:.2f}")
    return till.amount


def _note(
    voucher: Voucher,
    till: AtTill,
    state: str,
    amount: Decimal | None,
    at: datetime,
    *,
    until: datetime | None = None,
) -> VoucherUse:
    return VoucherUse.objects.create(
        id=uuid_utils.compat.uuid7(),
        voucher=voucher,
        state=state,
        amount=amount,
        partner_id=till.partner_id,
        outlet=till.outlet or "",
        reference=till.reference,
        sale=till.sale,
        at=at,
        until=until,
    )
