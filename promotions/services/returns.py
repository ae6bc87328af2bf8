"""Taking an earn back."""

from datetime import datetime

from ledger.kernel.book import Kind
from ledger.queries.books import Lots
from ledger.queries.configuration import configuration
from ledger.services import posting
from ledger.services.originals import original_of
from ledger.services.posting import Find
from ledger.services.reversal import ReversalRequest, Reversed, post_earn_reversal
from loyalty.services.use_case import use_case
from promotions.services import overrides, standings, tiering


@use_case
def reverse_earn(request: ReversalRequest, *, at: datetime) -> Reversed:
    """Take a whole earn back: the mirror of its lots; works in every stage.

    The measures of the sale's day are lowered, and a tier that it led to goes.

    :raises TransactionNotFound: if the earn is not here or not the caller's.
    :raises AlreadyReversed: if it was taken back before.
    :raises ReversalRefused: if points were spent and their type's policy is REFUSE.
    """
    original = original_of(request.original, Kind.EARN)
    find = Find(request.partner_id, Kind.EARN_REVERSAL, request.reference)
    book = posting.lock({"id": original.member_id}, at=at, find=find, lots=Lots.ALL)
    if earlier := posting.replayed(book, request.digest):
        return Reversed(book, None, earlier=earlier)
    posting.settle(book)
    transaction, shortfall = post_earn_reversal(book, original, request)
    settings = configuration(book.epoch)
    standing = standings.standing_of(book, settings)
    overrides.catch_up(standing, book)
    counted = tiering.negative(tiering.standing_counted(original, settings))
    tiering.count_return(standing, book, transaction, original, counted)
    posting.write(book, alongside=standings.record_of([standing]))
    return Reversed(book, transaction, shortfall=tuple(shortfall))
