"""Points of a redemption given back, with all that they bought: vouchers and tickets go."""

from datetime import datetime

from django.db import connection

from ledger.kernel.book import Kind, Transaction
from ledger.kernel.reversals import Restored
from ledger.models import Transaction as TransactionRow
from ledger.queries.books import Lots
from ledger.services import posting
from ledger.services.originals import original_of
from ledger.services.posting import Find, LockedBook
from ledger.services.reversal import ReversalRequest, Reversed
from loyalty.services.use_case import use_case
from promotions.services.rewarding import tickets
from vouchers.errors import WholeOnly
from vouchers.services import redemption


@use_case
def reverse_redemption(request: ReversalRequest, *, at: datetime) -> Reversed:
    """Give points of a redemption back to the lots they came from; what they bought is void.

    What is past its date expires again at once, or gets the programme's grace. `points` gives
    a part back, except of a redemption that bought something; without it, all that is left.

    :raises TransactionNotFound: if the redemption is not here or not the caller's.
    :raises AlreadyReversed, ReversalExceeds, VoucherUsed, WholeOnly: see `post_reversal`.
    :raises TicketsListed: if a ticket from it takes part in a draw by now.
    """
    original = original_of(request.original, Kind.REDEMPTION)
    find = Find(request.partner_id, Kind.REDEMPTION_REVERSAL, request.reference)
    book = posting.lock({"id": original.member_id}, at=at, find=find, lots=Lots.ALL)
    if earlier := posting.replayed(book, request.digest):
        return Reversed(book, None, earlier=earlier)
    posting.settle(book)
    transaction, restored = post_reversal(book, original, request, at=at)
    posting.write(book)
    return Reversed(book, transaction, tuple(restored))


def post_reversal(
    book: LockedBook, original: TransactionRow, request: ReversalRequest, *, at: datetime
) -> tuple[Transaction, list[Restored]]:
    """Draft a redemption's reversal on a locked and settled book; void what it bought; a step.

    The refusals of `reverse_redemption`; the caller writes the book.
    """
    assert connection.in_atomic_block
    transaction, restored = redemption.post_reversal(book, original, request, at=at)
    voided = tickets.void_of(original.pk, at=at)
    if voided and request.points is not None:
        raise WholeOnly
    return transaction, restored
