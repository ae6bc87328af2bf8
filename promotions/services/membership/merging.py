"""Merge and unmerge: two members become one, whatever each app keeps of them.

Books first, both in key order; then the members' rows; then vouchers and sweepstakes. So a posting
of either member is whole before the merge, or waits and goes to the survivor.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from ledger.kernel.book import Account
from ledger.services import posting, transfer
from ledger.services.transfer import Pair, Transferred
from loyalty.caller import Actor
from loyalty.errors import FieldError, ValidationFailed
from members.models import Alias, Card, Member, Merge, TierCheck
from members.queries import resolve
from members.services import merge as members
from members.services.merge import Conflict
from members.stages import FINAL
from promotions.errors import MergeForbidden, MergeTouched, NotMerged
from promotions.services.rewarding import tickets
from vouchers.services import merging as vouchers

TOUCHES_SHOWN = 20
SHOWN = (
    "cards",
    "aliases",
    "sessions",
    "consents",
    "segments",
    "vouchers",
    "allocations",
    "uses",
    "subscriptions",
    "subscriptions_ended",
    "tickets",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRequest:
    """Who is merged into whom, by member reference, and why."""

    giver: dict[str, Any]
    taker: dict[str, Any]
    reason: str
    by: Actor
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Merged:
    """A merge or unmerge, made or previewed: what moved from whom to whom.

    `points` are by type as they left the giver; `balances` what the taker then has.
    """

    giver: Member
    taker: Member
    points: list[Account]
    balances: list[Account]
    counts: dict[str, int]
    conflicts: list[Conflict] = field(default_factory=list)
    transfers: tuple[UUID, UUID] | None = None


def merge(request: MergeRequest, *, at: datetime) -> Merged:
    """Merge one member into another: points, locks and debt, cards, aliases and all else; a step.

    The giver becomes MERGED, and its number leads to the survivor from then on.

    :raises MemberNotFound: if a reference names nobody.
    :raises MergeForbidden: if one of the two is closed, or was merged before.
    :raises BookMoved: if one of the two was merged while the call waited.
    :raises ValidationFailed: if both references name the same member.
    """
    assert connection.in_atomic_block
    first, second = _named(request)
    pair = transfer.lock_pair(first.pk, second.pk, at=at)
    giver, taker = members.lock_two(first.pk, second.pk)
    _check(giver, taker)
    conflicts = _conflicts(giver, taker)
    sizes = _sizes(pair)
    posted = transfer.transfer_everything(
        pair, reason=request.reason, request_id=request.request_id
    )
    moved = members.take_over(giver, taker, by=request.by, at=at)
    moved |= vouchers.take_over(giver.pk, taker.pk, at=at)
    moved |= tickets.take_over(giver.pk, taker.pk)
    moved |= _take_sums(giver.pk, taker.pk, at)
    transfers = (posted.out.id, posted.into.id)
    members.note_merge(
        giver,
        taker,
        moved=moved,
        transfers=transfers,
        by=request.by,
        at=at,
        reason=request.reason,
    )
    counts = sizes | {name: len(keys) for name, keys in moved.items() if name in SHOWN}
    return _merged(giver, taker, posted, pair, counts, conflicts, transfers)


def preview(request: MergeRequest, *, at: datetime) -> Merged:
    """Return what `merge` would do now; nothing is locked or written.

    :raises MemberNotFound, MergeForbidden, ValidationFailed: as `merge`.
    """
    giver, taker = _named(request)
    _check(giver, taker)
    pair = transfer.read_pair(giver.pk, taker.pk, at=at)
    sizes = _sizes(pair)
    drafted = transfer.draft(pair, reason=request.reason)
    counts = sizes | {
        "cards": Card.objects.filter(member=giver).count(),
        "aliases": Alias.objects.filter(member=giver).count(),
    }
    return _merged(giver, taker, drafted, pair, counts, _conflicts(giver, taker), None)


def _named(request: MergeRequest) -> tuple[Member, Member]:
    giver, taker = _own(request.giver), _own(request.taker)
    if giver.pk == taker.pk:
        message = "Both references name the same member."
        raise ValidationFailed([FieldError("/into", "INVALID", message)])
    return giver, taker


def _own(reference: dict[str, Any]) -> Member:
    """Return whom a reference names; the number of a merged member does not mean its survivor."""
    member = resolve(reference)
    number = reference.get("number", member.number)
    if number != member.number:
        raise MergeForbidden(member=number, stage=Member.Stage.MERGED)
    return member


def _check(giver: Member, taker: Member) -> None:
    """:raises MergeForbidden: if one of the two is closed, or was merged before."""
    for member in (giver, taker):
        if member.stage in FINAL:
            raise MergeForbidden(member=member.number, stage=member.stage)


def _conflicts(giver: Member, taker: Member) -> list[Conflict]:
    return [
        *members.conflicts_of(giver.pk, taker.pk),
        *vouchers.conflicts_of(giver.pk, taker.pk),
    ]


def _sizes(pair: Pair) -> dict[str, int]:
    book = pair.giver.book
    return {
        "lots": sum(lot.left > 0 for lot in book.lots.values()),
        "locks": sum(lock.open for lock in book.locks.values()),
    }


def _merged(
    giver: Member,
    taker: Member,
    posted: Transferred,
    pair: Pair,
    counts: dict[str, int],
    conflicts: list[Conflict],
    transfers: tuple[UUID, UUID] | None,
) -> Merged:
    balances = sorted(pair.taker.book.accounts.values(), key=lambda each: each.point_type)
    points = transfer.brought_by(posted.into)
    return Merged(giver, taker, points, balances, counts, conflicts, transfers)


# Sums per member that both add up to: table, key, amount. The survivor's grow by the giver's, whose
# rows are kept with the merge: an unmerge takes off what was added, whatever came since.
_SUMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("members_tiermeasure", ("measure", "point_type", "day")),
    ("promotions_limitcounter", ("promotion", "period", "start", "measure")),
)


def _take_sums(giver_id: int, taker_id: int, at: datetime) -> dict[str, Any]:
    """Add the giver's sums to the taker's; have its tier looked at by whoever comes first."""
    taken = {}
    with connection.cursor() as cursor:
        for table, keys in _SUMS:
            named = ", ".join(keys)
            cursor.execute(
                f"WITH gone AS (DELETE FROM {table} WHERE member_id = %s"
                f" RETURNING {named}, amount)"
                " SELECT coalesce(json_agg(gone), '[]')::text FROM gone",
                [giver_id],
            )
            taken[table] = msgspec.json.decode(cursor.fetchone()[0])
            _add(table, keys, taken[table], taker_id)
    TierCheck.objects.bulk_create([TierCheck(member_id=taker_id, due_at=at)], ignore_conflicts=True)
    return taken


def _give_sums_back(moved: dict[str, Any], giver_id: int, taker_id: int, at: datetime) -> None:
    for table, keys in _SUMS:
        rows = moved.get(table, [])
        _add(table, keys, rows, giver_id)
        _add(table, keys, [{**row, "amount": -row["amount"]} for row in rows], taker_id)
    TierCheck.objects.bulk_create(
        [TierCheck(member_id=key, due_at=at) for key in (giver_id, taker_id)],
        ignore_conflicts=True,
    )


def _add(table: str, keys: tuple[str, ...], rows: list[dict[str, Any]], member_id: int) -> None:
    named = ", ".join(keys)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} AS t (member_id, {named}, amount)"
            f" SELECT %s, {named}, amount FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb)"
            f" ON CONFLICT (member_id, {named})"
            " DO UPDATE SET amount = t.amount + excluded.amount",
            [member_id, msgspec.json.encode(rows).decode()],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmergeRequest:
    """A merged member, by the number it had, to be parted from its survivor, and why."""

    number: str
    reason: str
    by: Actor
    request_id: str | None = None


def unmerge(request: UnmergeRequest, *, at: datetime) -> Merged:
    """Part a merged member from its survivor while nothing that moved was used; a step.

    The mirror of the merge: what is left of the points that moved, cards, aliases, stage.

    :raises NotMerged: if the member is not merged.
    :raises MergeTouched: if what the merge moved was used since.
    """
    assert connection.in_atomic_block
    found = Merge.objects.filter(giver__number=request.number, undone_at=None).first()
    if found is None:
        raise NotMerged
    _check_survivor(found)
    posting.hold([found.giver_id, found.taker_id])
    # The giver's book can be locked as its own again only once it leads to nobody else.
    Member.objects.filter(pk=found.giver_id, merged_into=found.taker_id).update(
        merged_into=None, stage=found.stage_before
    )
    pair = transfer.lock_pair(found.taker_id, found.giver_id, at=at)
    standing = _standing(request.number)
    touched = transfer.touched(pair, standing.transfer_into)
    if touched:
        shown = [msgspec.to_builtins(each) for each in touched[:TOUCHES_SHOWN]]
        raise MergeTouched(shown)
    posted = transfer.transfer_back(
        pair, standing.transfer_into, reason=request.reason, request_id=request.request_id
    )
    counts: dict[str, int] = {"lots": sum(e.source == 9 for e in posted.into.entries)}
    counts |= vouchers.give_back(
        standing.moved, giver_id=standing.giver_id, taker_id=standing.taker_id
    )
    counts |= tickets.give_back(
        standing.moved, giver_id=standing.giver_id, taker_id=standing.taker_id
    )
    _give_sums_back(standing.moved, standing.giver_id, standing.taker_id, at)
    counts |= members.give_back(standing, by=request.by, at=at)
    members.note_unmerge(standing, by=request.by, at=at, reason=request.reason)
    transfers = (posted.out.id, posted.into.id)
    return _merged(standing.taker, standing.giver, posted, pair, counts, [], transfers)


def _standing(number: str) -> Merge:
    """Return the merge of the member with this number, under its lock.

    :raises NotMerged: if another unmerge was faster.
    """
    found = (
        Merge.objects.select_for_update(of=("self",))
        .select_related("giver", "taker")
        .filter(giver__number=number, undone_at=None)
        .first()
    )
    if found is None:
        raise NotMerged
    return found


def _check_survivor(found: Merge) -> None:
    survivor = Member.objects.get(pk=found.taker_id)
    if survivor.stage in FINAL:
        raise MergeTouched([{"why": "SURVIVOR_GONE", "stage": survivor.stage}])
