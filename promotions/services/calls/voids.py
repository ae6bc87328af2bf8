"""Void: a composite call is taken back whole, in one unit, as if it had never been."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import Q

from ledger.errors import AlreadyReversed, TransactionNotFound
from ledger.kernel.book import Kind, Transaction
from ledger.models import Transaction as TransactionRow
from ledger.queries.books import Earlier, Lots
from ledger.queries.configuration import Configuration, configuration
from ledger.queries.history import Posted, posted_of_draft, posted_of_row
from ledger.services import posting
from ledger.services.originals import original_of
from ledger.services.posting import Find, LockedBook
from ledger.services.return_reversal import post_return_reversal
from ledger.services.reversal import ReversalRequest, post_redemption_reversal
from loyalty.caller import Actor
from loyalty.services.use_case import use_case
from promotions.errors import PartReversed
from promotions.models import Evaluation
from promotions.services import budgets
from promotions.services.calls.parts import told_of_parts
from promotions.services.reversals import freeing, post_reversal, standing_for
from promotions.services.rewarding import reward_returns
from promotions.services.sales import (
    Stored,
    changes,
    standing_returns,
    stored_of_sale,
    used_of,
)
from promotions.services.tiers import standings, tiering
from promotions.services.tiers.standings import Standing
from promotions.services.tiers.tiering import Counted
from vouchers import codes
from vouchers.models import BenefitUse, Voucher, VoucherUse
from vouchers.services import authentication, benefits
from vouchers.services.benefits import BenefitRequest

UNDOING = (Kind.EARN_REVERSAL, Kind.RETURN, Kind.REDEMPTION_REVERSAL, Kind.RETURN_REVERSAL)
ANY_TIME = timedelta(days=36_500)  # A void is not bound to the day in which a till may undo.


@dataclass(frozen=True, slots=True)
class Voided:
    """A void that was posted, or (`earlier`) had been before; `told` is answered beside it."""

    book: LockedBook
    transaction: Transaction | None
    told: dict[str, Any]
    earlier: Earlier | None = None


@use_case
def void_composite(request: ReversalRequest, *, by: Actor, at: datetime) -> Voided:
    """Undo every part of a composite call: earn, redemption, returns, vouchers and benefits.

    With them goes what its lift to a higher tier gave. Each by a reversal of its own under this
    call's reference. A lock that was captured is not made again: its points come back free.
    Works in every stage.

    :raises TransactionNotFound: if no such call is here, or it is not the caller's.
    :raises AlreadyReversed: if it was voided before.
    :raises PartReversed: if a part was taken back by itself, or more came back of a sale since.
    :raises ReversalRefused: if points were spent and their type's policy is REFUSE.
    """
    original = original_of(request.original, Kind.EARN)
    call = (original.data or {}).get("call")
    if call is None:
        raise TransactionNotFound
    find = Find(request.partner_id, Kind.EARN_REVERSAL, request.reference)
    book = posting.lock({"id": original.member_id}, at=at, find=find, lots=Lots.ALL)
    settings = configuration(book.epoch)
    if earlier := posting.replayed(book, request.digest):
        return Voided(book, None, _told_again(earlier, request, settings), earlier)
    posting.settle(book)
    parts = _parts_of(original, call)
    uses, had = authentication.used_in(original.pk), _benefits_of(call)
    _check_whole(original, parts, uses, had)
    standing = standing_for(book)
    told: dict[str, Any] = {"vouchers": _vouchers_told(uses), "benefits": _benefits_told(had)}
    voided = _take_back(book, original, parts, request, standing, told)
    _undo_uses(uses, at=at)
    for use in had:
        wanted = BenefitRequest(benefit=use.benefit.code, partner_id=original.partner_id, by=by)
        benefits.undo(book, wanted, use.pk, at=at, within=ANY_TIME)
    more = _told([posted_of_draft(each, book.book.member_id) for each in voided], settings)
    return Voided(book, voided[0], {**told, **more})


def _told_again(
    earlier: Earlier, request: ReversalRequest, settings: Configuration
) -> dict[str, Any]:
    """Return what the first answer told, from the postings that the void made."""
    rows = TransactionRow.objects.filter(
        partner_id=request.partner_id, reference=request.reference, digest=request.digest
    )
    posted = [posted_of_row(row) for row in rows.order_by("version")]
    first = next(each for each in posted if each.id == earlier.id)
    return {**first.data["void"], **_told(posted, settings)}


def _told(parts: Sequence[Posted], settings: Configuration) -> dict[str, Any]:
    tier = {"before": parts[0].tier_before, "after": parts[-1].tier_after}
    return {"parts": told_of_parts(parts, settings), "tier": tier}


def _parts_of(original: TransactionRow, call: dict[str, Any]) -> list[TransactionRow]:
    """Return the postings of a call, in their order, with the bonuses for where it lifted to."""
    keys = [UUID(each["id"]) for each in call["parts"]]
    wanted = Q(pk__in=keys) | Q(sale=original.pk, kind=Kind.BONUS)
    return list(TransactionRow.objects.filter(wanted).order_by("version"))


def _benefits_of(call: dict[str, Any]) -> list[BenefitUse]:
    ids = [UUID(each["use"]) for each in call["benefits"]]
    if not ids:
        return []
    rows = BenefitUse.objects.filter(pk__in=ids).select_related("benefit")
    return list(rows.order_by("pk"))


def _check_whole(
    original: TransactionRow,
    parts: Sequence[TransactionRow],
    uses: Sequence[VoucherUse],
    had: Sequence[BenefitUse],
) -> None:
    """Refuse a call of which something was taken back, under the lock of its member's book."""
    keys = [part.pk for part in parts]
    taken = list(TransactionRow.objects.filter(original__in=keys, kind__in=UNDOING))
    if any("void" in (each.data or {}) for each in taken):
        raise AlreadyReversed
    gone = [each.pk for each in taken]
    for part in parts:
        if part.kind == Kind.RETURN and part.original is not None:
            since = Q(member=part.member_id, version__gt=part.version) | (
                ~Q(member=part.member_id) & Q(posted_at__gt=part.posted_at)
            )
            later = standing_returns(part.original, Kind.RETURN, Kind.EARN_REVERSAL)
            gone += later.filter(since).values_list("pk", flat=True)
    gone += [use.pk for use in uses if use.state != VoucherUse.State.USED]
    gone += [use.pk for use in had if use.undone_at is not None]
    if gone:
        raise PartReversed(parts=[str(each) for each in gone])


def _take_back(
    book: LockedBook,
    original: TransactionRow,
    parts: Sequence[TransactionRow],
    request: ReversalRequest,
    standing: Standing,
    told: dict[str, Any],
) -> list[Transaction]:
    """Reverse the postings of a call, the last first, and write them; return the reversals."""
    _hold_counters(book, original, parts)
    earn = post_reversal(book, original, request, standing, keeps_tier=True)
    data = earn.transaction.header.data or {}
    earn.transaction.header.data = {**data, "void": told}
    voided, alongside = [earn.transaction], earn.alongside
    for place, part in enumerate(part for part in parts if part.kind == Kind.BONUS):
        posting.write(book, alongside=alongside)
        own = replace(request, part=place + 1)
        bonus = post_reversal(book, part, own, standing, keeps_tier=True)
        voided, alongside = [*voided, bonus.transaction], bonus.alongside
    for part in parts:
        if part.kind == Kind.REDEMPTION:
            posting.write(book, alongside=alongside)
            back, _ = post_redemption_reversal(book, part, request)
            voided, alongside = [*voided, back], []
    for part in reversed(parts):
        if part.kind == Kind.RETURN:
            posting.write(book, alongside=alongside)
            mirror = post_return_reversal(book, part, replace(request, part=part.part))
            tiering.count_back(standing, book, mirror, _counted_of(part))
            stored = _stored(part)
            if stored.rewards and part.original is not None:
                reward_returns.undo(
                    book, mirror, stored.rewards, sale=part.original, taken_at=part.posted_at
                )
            freed = freeing(used_of([stored]), {}, book.book.member_id)
            voided, alongside = [*voided, mirror], freed
    # The tier is looked at once all is counted, so that no part moves it there and back.
    tiering.after_void(standing, book, voided[-1], original, {part.pk for part in parts})
    posting.write(book, alongside=[*alongside, *standings.record_of([standing])])
    return voided


def _hold_counters(
    book: LockedBook, original: TransactionRow, parts: Sequence[TransactionRow]
) -> None:
    """Lock what goes back to budgets, or is taken from them again, before any voucher is."""
    stored = [stored_of_sale(original)]
    stored += [[_stored(each)] for each in parts if each.kind in (Kind.RETURN, Kind.BONUS)]
    unused = [row for each in stored for row in changes(used_of(each), {}, book.book.member_id)[1]]
    budgets.hold(unused)


def _stored(part: TransactionRow) -> Stored:
    """Return what is stored of a return or bonus."""
    result = Evaluation.objects.values_list("result", flat=True).get(pk=part.pk)
    return msgspec.convert(result, Stored)


def _counted_of(part: TransactionRow) -> Counted:
    """Return what the reversal of a return counts again towards tiers."""
    taken = msgspec.convert((part.data or {})["counted"], Counted, strict=False)
    return tiering.negative(taken)


def _undo_uses(uses: Sequence[VoucherUse], *, at: datetime) -> None:
    """Give vouchers back what the call took of them, locked by id; a step.

    :raises PartReversed: if a till was faster; a voucher of nobody is under no book's lock.
    """
    for use in uses:
        voucher = authentication.locked(use.voucher_id)
        use.refresh_from_db()
        if use.state != VoucherUse.State.USED:
            raise PartReversed(parts=[str(use.pk)])
        authentication.undo_use(voucher, use, at=at)


def _vouchers_told(uses: Sequence[VoucherUse]) -> list[dict[str, Any]]:
    vouchers = (
        Voucher.objects.select_related("voucher_type").in_bulk([use.voucher_id for use in uses])
        if uses
        else {}
    )
    told = []
    for use in uses:
        voucher = vouchers[use.voucher_id]
        currency = voucher.voucher_type.currency
        back = None if use.amount is None else {"amount": f"{use.amount:.2f}", "currency": currency}
        told.append(
            {
                "code": codes.masked(voucher.hint),
                "voucher_type": voucher.voucher_type.code,
                "given_back": back,
            }
        )
    return told


def _benefits_told(had: Sequence[BenefitUse]) -> list[dict[str, Any]]:
    return [{"code": use.benefit.code, "quantity": use.quantity, "use": str(use.pk)} for use in had]
