"""The returns of a composite call, and what they leave for its purchase."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from ledger.errors import TransactionNotFound
from ledger.kernel.book import Kind
from ledger.models import Transaction as TransactionRow
from ledger.queries.books import OpenBook, execute
from ledger.services import posting
from ledger.services.originals import original_of
from ledger.services.posting import Alongside
from loyalty.errors import FieldError, LoyaltyError, ValidationFailed
from promotions.services.budgets import BudgetKey, OnlyLooking
from promotions.services.calls.composite_unit import CompositeRequest, Unit
from promotions.services.calls.payment import Bill
from promotions.services.returns import DraftedReturn, post_return


def draft_returns(unit: Unit, request: CompositeRequest, bill: Bill) -> list[DraftedReturn]:
    """Draft the returns, each of another sale; what they free is free for the purchase.

    :raises TransactionNotFound: if a sale is not here, not the caller's, or another member's.
    :raises ValidationFailed: if two are of one sale.
    :raises CurrencyDiffers: if a sale was in another currency.
    """
    drafted: list[DraftedReturn] = []
    seen: set[UUID] = set()
    for place, each in enumerate(request.returns):
        pointer = f"/returns/{place}"
        original = original_of(each.reversal.original, Kind.EARN)
        if not _is_members(unit.book, original):
            raise TransactionNotFound
        if original.pk in seen:
            message = "Two returns are of one sale: put their lines together."
            raise ValidationFailed([FieldError(f"{pointer}/original", "REPEATED", message)])
        seen.add(original.pk)
        wanted = replace(each, reversal=replace(each.reversal, part=place, sale=unit.sale))
        try:
            done = post_return(unit.book, original, wanted, unit.standing)
        except ValidationFailed as refusal:
            errors = [replace(error, pointer=pointer + error.pointer) for error in refusal.errors]
            raise ValidationFailed(errors) from None
        except LoyaltyError as refusal:
            refusal.extra.setdefault("pointer", pointer)
            raise
        purchase = done.sale.purchase
        bill.same_currency(purchase.sent_in or purchase.currency, pointer)
        bill.refunded += done.refunded
        drafted.append(done)
    _let_freed_be_used(unit, drafted)
    return drafted


def _is_members(book: OpenBook, original: TransactionRow) -> bool:
    """Return whether a sale is that of the book's member, or of one merged into it."""
    if original.member_id == book.book.member_id:
        return True
    row = execute("SELECT %s = ANY (ledger_merged(%s))", (original.member_id, book.book.member_id))
    return bool(row[0])


def _let_freed_be_used(unit: Unit, drafted: Sequence[DraftedReturn]) -> None:
    """Let the purchase see what the returns freed of limits and budgets.

    Written where the book is locked, so that the purchase claims from what is then there.
    """
    for done in drafted:
        for key, amount in done.freed.items():
            if key.per == "MEMBER":
                counted = (key.promotion, key.period, key.start, key.measure)
                unit.known.counters[counted] = unit.known.counters.get(counted, 0) - amount
            elif isinstance(unit.purse, OnlyLooking):
                slot = BudgetKey(key.promotion, key.per, key.period, key.start, key.measure)
                unit.purse.free(slot, amount)
    alongside: list[Alongside] = [part for done in drafted for part in done.alongside]
    if unit.book.locked and drafted:
        posting.write(unit.book, alongside=alongside)
