"""What sales do to tiers: count, move up at once, and take back what a return takes away.

Steps on a locked book and the member's standing. They draft; `standings.record_of` has what is
then written in the statement that writes the books. The ladder itself decides
(`members.ladder`), on plain values.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from ledger.kernel.book import Bucket, Kind, Transaction
from ledger.models import Transaction as TransactionRow
from ledger.queries.configuration import Configuration
from ledger.queries.tiers import STORED
from ledger.services.posting import LockedBook
from loyalty.caller import Actor
from loyalty.money import places
from members.ladder import (
    Counts,
    Held,
    Move,
    climb,
    held_before,
    revoke,
    valid_until,
    window_of,
)
from members.models import Activity, TierMeasure
from promotions.engine.money import to_minor
from promotions.services.sales import standing_returns
from promotions.services.tiers.standings import Standing, posted_at

CHANGED = "TIER_CHANGED"
LADDER = Actor.system("ladder")


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a tier moved: the word, and the transaction that did it."""

    word: str
    transaction: UUID | None = None
    partner_id: int | None = None
    reason: str = ""
    by: Actor = LADDER
    day: date | None = None
    back_to: datetime | None = None


class Counted(msgspec.Struct, kw_only=True):
    """What a transaction adds to the measures of a local day; a return takes, and is negative.

    `points` are by the id of their type, `spend` in minor units of the programme's currency,
    `visits` purchases. It is stored with the transaction where its header does not tell it.
    """

    day: date
    points: dict[str, int] = {}
    spend: int = 0
    visits: int = 0


def count_sale(
    standing: Standing,
    book: LockedBook,
    transaction: Transaction,
    *,
    spend: int,
    visits: int = 1,
) -> None:
    """Count an earn on the local day of its sale, and move the member up if that is enough.

    `spend` is what was paid, in minor units of the programme's currency. A call that only takes
    items back is no visit.
    """
    header, settings = transaction.header, standing.settings
    counted = Counted(
        day=local_day(header.occurred_at, settings),
        points={str(each.type): each.points for each in transaction.effects if each.points},
        spend=spend,
        visits=visits,
    )
    if header.currency != settings.currency or places(settings.currency) != 2 or not visits:
        # The header alone would not tell what was counted.
        header.data = {**(header.data or {}), "counted": counted}
    add(standing, book, transaction, counted)


def add(standing: Standing, book: LockedBook, transaction: Transaction, counted: Counted) -> None:
    """Add what a transaction counts, and move the member up if that is enough.

    For an adjustment or a bonus, put `counted` into the header's data, so that measures can be
    proved from the ledger.
    """
    _count(standing, book, transaction, counted)
    if standing.ladder is None:
        return
    today = local_day(posted_at(book), standing.settings)
    definition = standing.ladder.definition
    late = counted.day not in window_of(definition, standing.facts.joined, today)
    day = counted.day if late else today
    cause = Cause("SALE", transaction.id, partner_id=transaction.header.partner_id, day=counted.day)
    climb_now(standing, book, day, cause, before=_unit_before(standing, day, counted))
    transaction.header.tier_after = standing.held.tier


def add_bonus(standing: Standing, book: LockedBook, transaction: Transaction) -> None:
    """Count what an occasion gave on its local day, and move the member up if that is enough."""
    header = transaction.header
    counted = Counted(
        day=local_day(header.occurred_at, standing.settings),
        points={str(each.type): each.points for each in transaction.effects if each.points},
    )
    header.data = {**(header.data or {}), "counted": counted}
    add(standing, book, transaction, counted)


def _unit_before(standing: Standing, day: date, counted: Counted) -> int | None:
    """Return what the member had without this transaction, where only a crossing counts."""
    if standing.override is None:
        return None
    have = standing.have(day)
    amount = standing.added.pop(counted.day, 0)
    before = standing.have(day)
    standing.added[counted.day] = amount
    return min(before, have)


def climb_now(
    standing: Standing, book: LockedBook, day: date, cause: Cause, *, before: int | None = None
) -> None:
    """Move a member up to what the window of a day reaches; see `members.ladder.climb`."""
    ladder = standing.ladder
    assert ladder is not None
    if ladder.next_above(ladder.rung(standing.held.tier).rank) is None:
        return
    rung = climb(ladder, standing.held.tier, standing.have(day), before=before)
    if rung is None:
        return
    until = valid_until(ladder, standing.facts.joined, day)
    move(standing, book, Held(rung.tier, posted_at(book), until), cause)


def _count(
    standing: Standing, book: LockedBook, transaction: Transaction, counted: Counted
) -> None:
    """Draft what is added to the measures, and note it for the ladder's own."""
    rows = [
        (TierMeasure.Measure.POINTS, int(key), amount) for key, amount in counted.points.items()
    ]
    rows.append((TierMeasure.Measure.SPEND, 0, counted.spend))
    rows.append((TierMeasure.Measure.VISITS, 0, counted.visits))
    for measure, point_type, amount in rows:
        if amount:
            standing.draft(
                "measures",
                measure=measure,
                point_type=point_type,
                day=counted.day,
                amount=amount,
            )
    ladder = standing.ladder
    if ladder is None:
        return
    stored = STORED[ladder.definition.measure]
    added = sum(
        amount
        for measure, point_type, amount in rows
        if measure == stored and point_type in ladder.point_types
    )
    if ladder.definition.counts is Counts.AVAILABLE:
        added -= _pending_of(transaction, ladder.point_types)
        _note_releases(standing, book, transaction)
    if added:
        standing.added[counted.day] = standing.added.get(counted.day, 0) + added


def _pending_of(transaction: Transaction, point_types: Iterable[int]) -> int:
    """Return by how many points a transaction changed what is pending."""
    pending = 0
    for entry in transaction.entries:
        if entry.point_type in point_types:
            pending += entry.points if entry.target is Bucket.PENDING else 0
            pending -= entry.points if entry.source is Bucket.PENDING else 0
    return pending


def _note_releases(standing: Standing, book: LockedBook, transaction: Transaction) -> None:
    """Have the tier looked at again when the points of this transaction become available."""
    lots = (book.book.lots[key] for key in book.book.new_lots)
    for lot in lots:
        if lot.pending and lot.transaction_id == transaction.id:
            standing.draft("checks", due_at=lot.available_at)


def count_return(
    standing: Standing,
    book: LockedBook,
    transaction: Transaction,
    sale: TransactionRow,
    counted: Counted,
) -> None:
    """Take back what a return or reversal takes from a sale's day, and the tier if that led to it.

    `counted` is negative. A tier that was entered at or after the sale and that the measure no
    longer reaches goes at once, without grace; a tier given by hand stays.
    """
    transaction.header.data = {**(transaction.header.data or {}), "counted": counted}
    transaction.header.tier_before = standing.held.tier
    _count(standing, book, transaction, counted)
    _revoke(standing, book, transaction, sale, counted.day)
    transaction.header.tier_after = standing.held.tier


def _revoke(
    standing: Standing,
    book: LockedBook,
    transaction: Transaction,
    sale: TransactionRow,
    day: date,
) -> None:
    ladder, held, at = standing.ladder, standing.held, posted_at(book)
    if ladder is None or standing.override is not None:
        return
    if held.since is None or held.since < sale.posted_at or held.tier == ladder.rungs[0].tier:
        return
    settings, today = standing.settings, local_day(at, standing.settings)
    days = {today, day, local_day(held.since, settings)}
    have = max(standing.have(each) for each in days)
    if ladder.reached(have).rank >= ladder.rung(held.tier).rank:
        return
    earlier = held_before(ladder, moves_of(standing), sale.posted_at, standing.have)
    joined = standing.facts.joined
    after = revoke(ladder, held, have, earlier, joined=joined, today=today, at=at)
    if after != held:
        cause = Cause(
            "RETURN",
            transaction.id,
            partner_id=transaction.header.partner_id,
            back_to=sale.posted_at,
        )
        move(standing, book, after, cause)


def moves_of(standing: Standing) -> list[Move]:
    """Return a member's moves in order, with those that the unit has drafted. One query."""
    rows = list(
        Activity.objects.filter(member_id=standing.member_id, kind=CHANGED)
        .order_by("pk")
        .values_list("at", "data")
    )
    drafted = standing.drafts.get("activities", ())
    rows += [(row["at"], row["data"]) for row in drafted if row["kind"] == CHANGED]
    return [
        msgspec.convert({**data, "at": at}, Move, strict=False)
        for at, data in rows
        if "had" in data
    ]


def count_back(
    standing: Standing, book: LockedBook, transaction: Transaction, counted: Counted
) -> None:
    """Count what a part of a void takes or gives back; `after_void` then sees to the tier."""
    transaction.header.data = {**(transaction.header.data or {}), "counted": counted}
    transaction.header.tier_before = transaction.header.tier_after = standing.held.tier
    _count(standing, book, transaction, counted)


def after_void(
    standing: Standing,
    book: LockedBook,
    transaction: Transaction,
    sale: TransactionRow,
    parts: Collection[UUID],
) -> None:
    """Put the tier back to what it was before a call whose `parts` are taken back all together.

    Where nothing but the call has moved the member since, what was held before it is held again.
    Else its measure decides, as after any return.
    """
    transaction.header.tier_before = standing.held.tier
    if standing.ladder is not None and standing.override is None:
        moves, today = moves_of(standing), local_day(posted_at(book), standing.settings)
        own = [place for place, each in enumerate(moves) if each.transaction in parts]
        partner_id = transaction.header.partner_id
        if own and own == list(range(own[0], len(moves))):
            first = moves[own[0]]
            before = Held(first.had, first.had_since, first.had_until)
            back_to = sale.posted_at
            cause = Cause("RETURN", transaction.id, partner_id=partner_id, back_to=back_to)
            move(standing, book, before, cause)
        else:
            day = local_day(sale.occurred_at, standing.settings)
            _revoke(standing, book, transaction, sale, day)
            cause = Cause("SALE", transaction.id, partner_id=partner_id)
            climb_now(standing, book, today, cause)
    transaction.header.tier_after = standing.held.tier


def move(standing: Standing, book: LockedBook, to: Held, cause: Cause) -> None:
    """Draft that a member holds another tier, or the same until another instant."""
    held, standing.held = standing.held, to
    if held == to:
        return
    standing.draft("moves", tier=to.tier, since=to.since, until=to.until)
    if held.tier == to.tier:
        return
    at = posted_at(book)
    told: dict[str, Any] = {
        "from": held.tier,
        "to": to.tier,
        "until": to.until,
        "cause": cause.word,
    }
    if cause.transaction is not None:
        told["transaction"] = str(cause.transaction)
    data = {**told, "had": held.tier, "had_since": held.since, "had_until": held.until}
    if cause.day is not None:
        data["day"] = cause.day
    if cause.back_to is not None:
        data["back_to"] = cause.back_to
    standing.draft(
        "activities",
        kind=CHANGED,
        at=at,
        actor_kind=cause.by.kind,
        actor=cause.by.name,
        partner_id=cause.partner_id,
        reason=cause.reason,
        data=data,
    )
    standing.draft(
        "events",
        type="member.tier_changed",
        version=book.book.version,
        partner_id=cause.partner_id,
        object_id=None,
        created_at=at,
        payload=told,
    )


def local_day(instant: datetime, settings: Configuration) -> date:
    """Return the programme's local day of an instant."""
    return instant.astimezone(settings.zone).date()


def standing_counted(sale: TransactionRow, settings: Configuration) -> Counted:
    """Return what of a sale is counted still: its own, less its returns. One query."""
    total = counted_of(sale, settings)
    returns = standing_returns(sale.pk, Kind.RETURN)
    for data in returns.values_list("data", flat=True):
        if data and "counted" in data:
            taken = msgspec.convert(data["counted"], Counted, strict=False)
            total.spend += taken.spend
            total.visits += taken.visits
            for key, points in taken.points.items():
                total.points[key] = total.points.get(key, 0) + points
    return total


def counted_of(sale: TransactionRow, settings: Configuration) -> Counted:
    """Return what a sale counted when it was posted."""
    if sale.data and "counted" in sale.data:
        return msgspec.convert(sale.data["counted"], Counted, strict=False)
    day = local_day(sale.occurred_at, settings)
    if sale.amount is None:
        return Counted(day=day)
    return Counted(
        day=day,
        points={str(each["type"]): each["points"] for each in sale.effects if each["points"]},
        spend=to_minor(str(sale.amount), settings.currency),
        visits=1,
    )


def negative(counted: Counted) -> Counted:
    """Return what takes back all of it."""
    return Counted(
        day=counted.day,
        points={key: -points for key, points in counted.points.items()},
        spend=-counted.spend,
        visits=-counted.visits,
    )
