"""Earn Reversal: taking back all that an earn, or an event, gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection
from django.db.models import Exists, OuterRef

from ledger.kernel.book import Kind, Transaction
from ledger.models import Transaction as TransactionRow
from ledger.queries.books import Lots
from ledger.queries.configuration import configuration
from ledger.services import posting
from ledger.services.originals import original_of
from ledger.services.posting import Alongside, Find, LockedBook
from ledger.services.reversal import ReversalRequest, Reversed, Shortfall, post_earn_reversal
from loyalty.services.use_case import use_case
from promotions.services import budgets, events
from promotions.services.rewarding import reward_returns
from promotions.services.rewarding.reward_returns import held_of
from promotions.services.sales import Counted, changes, stored_of_sale, used_of
from promotions.services.tiers import overrides, standings, tiering
from promotions.services.tiers.standings import Standing


@use_case
def reverse_earn(request: ReversalRequest, *, at: datetime) -> Reversed:
    """Take a whole earn, or what an event gave, back: the mirror of its lots; in every stage.

    What it used up of limits and budgets goes back to the periods it was claimed from, also of
    promotions that have ended. The measures of the sale's day are lowered, and a tier that it led
    to goes, with what promotions gave for that. Of a sale that was returned in part, the rest.

    :raises TransactionNotFound: if the earn is not here or not the caller's.
    :raises AlreadyReversed: if it was taken back before.
    :raises ReversalRefused: if points were spent and their type's policy is REFUSE.
    """
    original = original_of(request.original, Kind.EARN, Kind.BONUS)
    find = Find(request.partner_id, Kind.EARN_REVERSAL, request.reference)
    book = posting.lock({"id": original.member_id}, at=at, find=find, lots=Lots.ALL)
    if earlier := posting.replayed(book, request.digest):
        return Reversed(book, None, earlier=earlier)
    posting.settle(book)
    standing = standing_for(book)
    before = standing.held.tier
    drafted = post_reversal(book, original, request, standing)
    alongside = take_back_lifts(book, original, request, standing, before, drafted.alongside)
    posting.write(book, alongside=[*alongside, *standings.record_of([standing])])
    return Reversed(book, drafted.transaction, shortfall=tuple(drafted.shortfall))


@dataclass(frozen=True, slots=True)
class DraftedReversal:
    """A whole reversal's draft, its shortfall, and what frees its limits with the write."""

    transaction: Transaction
    shortfall: list[Shortfall]
    alongside: list[Alongside]


def post_reversal(
    book: LockedBook,
    original: TransactionRow,
    request: ReversalRequest,
    standing: Standing,
    *,
    keeps_tier: bool = False,
) -> DraftedReversal:
    """Draft the reversal of a whole earn or bonus on a locked and settled book; a step.

    Takes back its points, what it counted towards tiers, and what it used up of limits and
    budgets. Its vouchers and tickets are taken back at once, and told in the transaction's data.
    With `keeps_tier` the caller sees to the tier. The refusals of `reverse_earn`.
    """
    assert connection.in_atomic_block
    transaction, shortfall = post_earn_reversal(book, original, request)
    counted = tiering.negative(tiering.standing_counted(original, standing.settings))
    if keeps_tier:
        tiering.count_back(standing, book, transaction, counted)
    else:
        tiering.count_return(standing, book, transaction, original, counted)
    stored = stored_of_sale(original)
    used, held = used_of(stored), held_of(each.rewards for each in stored)
    member_id = book.book.member_id
    if held:
        budgets.hold(changes(used, {}, member_id)[1])
        reward_returns.post_changes(book, transaction, held)
    freed = freeing(used, {}, member_id)
    if original.kind == Kind.BONUS and original.reference is not None:
        # What Laurel gave by itself, as for a birthday, is not given again by the next night.
        freed += events.forgetting(original)
    return DraftedReversal(transaction, shortfall, freed)


def take_back_lifts(
    book: LockedBook,
    original: TransactionRow,
    request: ReversalRequest,
    standing: Standing,
    before: str,
    alongside: list[Alongside],
) -> list[Alongside]:
    """Take back what promotions gave for lifts since a sale to tiers that are not held any more.

    A step after a reversal or return whose member held the tier `before`; each is a reversal of
    its own under the same reference. Returns what is stored with the last write.
    """
    done: set[Any] = set()
    while standing.held.tier != before and (bonus := _lift_since(original, standing, done)):
        posting.write(book, alongside=alongside)
        done.add(bonus.pk)
        own = replace(request, part=len(done))
        alongside = post_reversal(book, bonus, own, standing).alongside
    return alongside


def _lift_since(
    original: TransactionRow, standing: Standing, done: set[Any]
) -> TransactionRow | None:
    """Return the latest bonus since a sale for a lift above where the member stands now."""
    ladder = standing.ladder
    if ladder is None:
        return None
    rank = ladder.rung(standing.held.tier).rank
    above = [rung.tier for rung in ladder.rungs if rung.rank > rank]
    lifts = TransactionRow.objects.filter(
        member=standing.member_id,
        kind=Kind.BONUS,
        sale__isnull=False,
        posted_at__gte=original.posted_at,
        tier_before__in=above,
    ).exclude(pk__in=done)
    back = TransactionRow.objects.filter(original=OuterRef("pk"), kind=Kind.EARN_REVERSAL)
    return lifts.exclude(Exists(back)).order_by("version").last()


def standing_for(book: LockedBook) -> Standing:
    """Return where the book's member stands now."""
    standing = standings.standing_of(book, configuration(book.epoch))
    overrides.catch_up(standing, book)
    return standing


def freeing(
    before: Mapping[Counted, int],
    after: Mapping[Counted, int],
    member_id: int,
    evaluations: Sequence[dict[str, Any]] = (),
) -> list[Alongside]:
    """Return what stores a return's evaluation, and frees what is no longer used up."""
    counts, unused = changes(before, after, member_id)
    if not (counts or unused or evaluations):
        return []
    document = {"evaluations": evaluations, "counts": counts, "unused": unused}
    return [Alongside("promotions_record", msgspec.json.encode(document))]
