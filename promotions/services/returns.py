"""Partial Earn Reversal: taking back what was earned on items that were returned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from ledger.kernel.book import Kind, Transaction, begin, finish
from ledger.kernel.postings import grant
from ledger.models import Transaction as TransactionRow
from ledger.queries.books import Earlier, Lots
from ledger.queries.configuration import Configuration, configuration
from ledger.services import posting
from ledger.services.originals import original_of
from ledger.services.posting import Alongside, Find, LockedBook
from ledger.services.reversal import (
    ReversalRequest,
    Shortfall,
    header_of,
    reversed_by_lot,
)
from ledger.services.sale import take_of_sale
from loyalty.errors import FieldError, ValidationFailed
from loyalty.services.use_case import use_case
from promotions.engine import ENGINE_VERSION
from promotions.engine.evaluate import evaluate
from promotions.engine.money import to_minor
from promotions.engine.returns import (
    Exceeds,
    Returned,
    Wanted,
    kept,
    refunds,
    remaining,
    together,
)
from promotions.engine.types import Award, Evaluation, Purchase
from promotions.errors import ReturnExceedsPurchase
from promotions.services import budgets
from promotions.services.awarding import award_row, dated_awards, grants_of
from promotions.services.earning import stored_result
from promotions.services.reversals import freeing, standing_for, take_back_lifts
from promotions.services.rewarding import reward_returns
from promotions.services.sales import (
    Counted,
    Granted,
    Sale,
    change_of_uses,
    changes,
    sale_of,
    used_now,
)
from promotions.services.snapshot import snapshot_of
from promotions.services.tiers import standings, tiering
from promotions.services.tiers.standings import Standing


@dataclass(frozen=True, slots=True)
class ReturnLine:
    """A line that comes back: quantity in ten-thousandths; the refund as decimal text, if said."""

    line: int
    quantity: int
    amount: str | None


@dataclass(frozen=True, slots=True)
class ReturnRequest:
    """Items that come back of an earlier purchase. A quantity of 0 only adjusts the price."""

    reversal: ReversalRequest
    lines: tuple[ReturnLine, ...]


@dataclass(frozen=True, slots=True)
class ReturnedItems:
    """A return that was posted, or (`earlier`) had been before; `result` is what is stored of it.

    `result["awards"]` are differences by promotion version and point type.
    """

    book: LockedBook
    transaction: Transaction | None
    result: dict[str, Any]
    earlier: Earlier | None = None


@use_case
def return_items(request: ReturnRequest, *, at: datetime) -> ReturnedItems:
    """Take back what a purchase earned on items that were returned; works in every stage.

    What the member keeps is evaluated with the versions, tier and facts of the sale, and at most
    what its limits and budgets granted; the difference to what the books hold for the sale is
    posted. So in whatever order and parts items come back, the end is the same.

    :raises TransactionNotFound: if the earn is not here or not the caller's.
    :raises AlreadyReversed: if the whole earn was taken back before.
    :raises ReturnExceedsPurchase: if more comes back than is left, or is refunded than was paid.
    :raises EvaluationGone: if the facts of the sale are no longer kept.
    :raises ReversalRefused: if points were spent and their type's policy is REFUSE.
    """
    reversal = request.reversal
    original = original_of(reversal.original, Kind.EARN)
    find = Find(reversal.partner_id, Kind.RETURN, reversal.reference)
    book = posting.lock({"id": original.member_id}, at=at, find=find, lots=Lots.ALL)
    if earlier := posting.replayed(book, reversal.digest):
        return ReturnedItems(book, None, stored_result(earlier.id), earlier=earlier)
    posting.settle(book)
    standing = standing_for(book)
    before = standing.held.tier
    drafted = post_return(book, original, request, standing)
    alongside = take_back_lifts(book, original, reversal, standing, before, drafted.alongside)
    posting.write(book, alongside=[*alongside, *standings.record_of([standing])])
    return ReturnedItems(book, drafted.transaction, drafted.result)


@dataclass(frozen=True, slots=True)
class DraftedReturn:
    """A return's draft, what is stored of it, and what stores it with the write.

    `refunded` is what the customer gets back, in minor units of the sale's currency; `freed` what
    of limits and budgets is free again by it.
    """

    transaction: Transaction
    result: dict[str, Any]
    alongside: list[Alongside]
    sale: Sale
    refunded: int
    freed: dict[Counted, int]


def post_return(
    book: LockedBook, original: TransactionRow, request: ReturnRequest, standing: Standing
) -> DraftedReturn:
    """Draft one return on a settled book; a step. The refusals of `return_items`.

    Vouchers and tickets that are no longer deserved are taken back at once, and told in the
    transaction's data. On a book that was only read nothing is written.
    """
    assert connection.in_atomic_block
    settings = configuration(book.epoch)
    sale = sale_of(original)
    returned = settled_refunds(sale, request.lines)
    back = together([*sale.returned.values(), *returned])
    left = kept(sale.purchase, back)
    snapshot = snapshot_of(settings)
    ceilings = Granted(sale, snapshot)
    deserved = Evaluation((), ())
    if left is not None:
        deserved = evaluate(left, sale.member, snapshot, ceilings=ceilings)
    transaction = begin(book.book, header_of(Kind.RETURN, original, request.reversal))
    differences, shortfall = _post_difference(book, transaction, sale, deserved, settings)
    transaction.header.data = {**(transaction.header.data or {}), "returned": returned}
    finish(book.book, transaction)
    counted = _counted(sale, left, differences, settings)
    tiering.count_return(standing, book, transaction, original, counted)
    used, member_id = used_now(sale, deserved), book.book.member_id
    rewards: list[dict[str, Any]] = []
    if book.locked and (sale.rewards or deserved.rewards):
        budgets.hold(changes(sale.used, used, member_id)[1])
        rewards = reward_returns.post_changes(book, transaction, sale.rewards, deserved.rewards)
    result = {
        "awards": differences,
        "deserved": [msgspec.structs.asdict(award) for award in deserved.awards],
        "near_misses": [],
        "coupons": [],
        "uses": change_of_uses(sale, used),
        "rewards": rewards,
        "shortfall": [[each.point_type, each.points, each.treated] for each in shortfall],
        "kept": {"lines": _kept_lines(sale.purchase, back)},
    }
    evaluation = {
        "transaction_id": transaction.id,
        "member_id": member_id,
        "inputs": {"purchase": left, "member": sale.member, "ceilings": ceilings.told},
        "result": result,
        "engine_version": ENGINE_VERSION,
    }
    alongside = freeing(sale.used, used, member_id, [evaluation])
    refunded = sum(each.refund for each in returned)
    freed = {
        key: sale.used.get(key, 0) - used.get(key, 0) for key in sale.used.keys() | used.keys()
    }
    return DraftedReturn(transaction, result, alongside, sale, refunded, freed)


def settled_refunds(sale: Sale, lines: Sequence[ReturnLine]) -> list[Returned]:
    """Return what comes back of a sale, with the refund of each line.

    :raises ReturnExceedsPurchase: if it is more than is left.
    :raises ValidationFailed: if an amount has more places than the currency of the sale.
    """
    currency = sale.purchase.sent_in or sale.purchase.currency
    wanted = []
    for place, each in enumerate(lines):
        try:
            refund = to_minor(each.amount, currency) if each.amount is not None else None
        except ValueError as error:
            pointer = f"/lines/{place}/amount"
            raise ValidationFailed([FieldError(pointer, "OUT_OF_RANGE", f"{error}.")]) from None
        wanted.append(Wanted(each.line, each.quantity, refund))
    try:
        return refunds(sale.purchase, sale.returned, wanted)
    except Exceeds as error:
        line = lines[error.place].line if error.place is not None else None
        raise ReturnExceedsPurchase(str(error), line=line) from None


def _post_difference(
    book: LockedBook,
    transaction: Transaction,
    sale: Sale,
    deserved: Evaluation,
    settings: Configuration,
) -> tuple[list[dict[str, Any]], list[Shortfall]]:
    """Take back what is no longer deserved, and give what now is; return the differences."""
    points: dict[tuple[int, str], int] = {}
    for award in deserved.awards:
        key = (award.version_id, award.type)
        points[key] = points.get(key, 0) + award.points
    differences, less, more = [], {}, []
    versions = snapshot_of(settings).by_id
    for key in sorted(sale.held.keys() | points.keys()):
        change = points.get(key, 0) - sale.held.get(key, 0)
        if not change:
            continue
        version, kind = versions[key[0]], key[1]
        definition = version.definition
        award = Award(
            version.id,
            version.promotion,
            version.number,
            None,
            kind,
            change,
            definition.pending,
            version.expiry,
        )
        occurred_at = sale.purchase.occurred_at
        [dated] = dated_awards([award], occurred_at, transaction.posted_at, settings)
        differences.append(award_row(dated))
        if change < 0:
            less[(version.id, settings.point_type(kind).id)] = -change
        else:
            more.append(dated)
    shortfall, forgiven = take_of_sale(book, transaction, sale.original, less, settings)
    grant(book.book, transaction, grants_of(more, sale.original.partner_id, settings))
    transaction.header.data = {
        "shortfall": [[each.point_type, each.points, each.treated] for each in shortfall],
        "lots": reversed_by_lot(transaction, book.book.lots | book.away),
        "forgiven": forgiven,
    }
    return differences, shortfall


def _counted(
    sale: Sale,
    left: Purchase | None,
    differences: Sequence[Mapping[str, Any]],
    settings: Configuration,
) -> tiering.Counted:
    """Return what a return takes from the measures of the sale's day; below zero."""
    if left is None:
        return tiering.negative(tiering.standing_counted(sale.original, settings))
    before = kept(sale.purchase, sale.returned)
    points: dict[str, int] = {}
    for each in differences:
        key = str(settings.point_type(each["type"]).id)
        points[key] = points.get(key, 0) + each["points"]
    return tiering.Counted(
        day=tiering.local_day(sale.purchase.occurred_at, settings),
        points={key: amount for key, amount in points.items() if amount},
        spend=_spent(left) - _spent(before),
    )


def _spent(purchase: Purchase | None) -> int:
    lines = purchase.lines if purchase else ()
    return sum(max(0, line.net - line.refunded) for line in lines if not line.gone)


def _kept_lines(purchase: Purchase, back: Mapping[int, Returned]) -> list[dict[str, Any]]:
    """Return what is kept of each line: in ten-thousandths of a piece, and in minor units.

    The units are those of the currency that the sale was made in.
    """
    left, lines = remaining(purchase, back), []
    for line, amount in zip(purchase.lines, left, strict=True):
        came = back[line.number].quantity if line.number in back else 0
        gone = line.number in back and came >= line.quantity
        if any(left) and not gone:
            row = {"line": line.number, "quantity": line.quantity - came, "amount": amount}
            lines.append(row)
    return lines
