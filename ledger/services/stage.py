"""Find and Update Member Stage: a stage is changed under the book, with what closing forfeits.

A posting reads the stage under the book's lock, in a later snapshot than the lock. Whoever
changes a stage holds the same lock, so a posting is whole before the change or judged after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from ledger.kernel.closing import forfeit
from ledger.models import Account
from ledger.queries import stages as finding
from ledger.queries.books import Lots, read
from ledger.queries.stages import Criteria
from ledger.services import posting
from loyalty.caller import Actor
from loyalty.errors import MemberNotFound
from loyalty.models import Program
from loyalty.services.job_errors import Rejected
from loyalty.services.jobs import Running
from loyalty.services.use_case import use_case
from members import stages
from members.errors import StageTransitionForbidden
from members.services.stage import StageChange, change_stages

CLOSED = "CLOSED"
CHUNK = 1_000  # Members per transaction of a mass change: short locks, little to do again.


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The stage that members are to be in, why, and who says so."""

    stage: str
    reason: str
    by: Actor


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of a member; `forfeited` has points by id of their type."""

    change: StageChange
    forfeited: dict[int, int] = field(default_factory=dict)


def change_member(member: dict[str, Any], wanted: Wanted, *, at: datetime) -> Moved:
    """Move the member that a reference names; a step.

    :raises MemberNotFound: if it names nobody.
    :raises StageTransitionForbidden: if the stage does not lead there, or the number is that of a
        member who was merged: its survivor is not meant.
    """
    assert connection.in_atomic_block
    book = posting.lock(member, at=at)
    _own(member, book.member.number, wanted)
    [moved] = change_members([book.member.id], wanted, at=at)
    if moved.change.refused:
        raise StageTransitionForbidden(before=moved.change.before, after=wanted.stage)
    return moved


def change_members(member_ids: Sequence[int], wanted: Wanted, *, at: datetime) -> list[Moved]:
    """Move those of several members who may be moved, each whole; a step. In order of id.

    Locks their books in that order first. Points are looked at only where closing forfeits them;
    all else is a handful of statements however many members there are.
    """
    assert connection.in_atomic_block
    posting.hold(member_ids)
    forfeited: dict[int, dict[int, int]] = {}
    if wanted.stage == CLOSED and _closing_forfeits():
        forfeited = _forfeit(member_ids, at=at)
    changes = change_stages(member_ids, wanted.stage, by=wanted.by, at=at, reason=wanted.reason)
    return [Moved(change, forfeited.get(change.member_id, {})) for change in changes]


def _own(member: dict[str, Any], number: str, wanted: Wanted) -> None:
    if member.get("number", number) != number:
        raise StageTransitionForbidden(before="MERGED", after=wanted.stage)


def _closing_forfeits() -> bool:
    policy = Program.objects.values_list("closing_balance", flat=True).get(pk=1)
    return policy == Program.ClosingBalance.FORFEIT


def _forfeit(member_ids: Sequence[int], *, at: datetime) -> dict[int, dict[int, int]]:
    """Forfeit what the members hold who are about to be closed; their books are held."""
    books = posting.lock_many(finding.holders(member_ids), at=at, lots=Lots.ALL)
    taken = {}
    leaving = [book for book in books.values() if stages.may_change(book.member.stage, CLOSED)]
    for book in leaving:
        posting.settle(book)
        taken[book.member.id] = forfeit(book.book, reason="The membership was closed.")
    posting.write_many(leaving)
    return taken


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change would do: how many fit, how many of them may not be moved, and some of them."""

    matched: int
    refused: int
    unchanged: int
    sample: list[finding.Candidate]
    unknown: list[str]


def preview(criteria: Criteria, stage: str) -> Preview:
    """Return what a change by criteria would do now; nothing is written. Two or three queries."""
    matched, refused, unchanged = finding.count(criteria, stage)
    sample = finding.candidates(criteria, stage, limit=finding.SAMPLE)
    return Preview(matched, refused, unchanged, sample, unknown_of(criteria.members))


def would_change(member_id: int, number: str, before: str, after: str) -> StageChange:
    """Return what a move would come to, by the table alone."""
    changed = stages.may_change(before, after)
    return StageChange(member_id, number, before, changed, not changed and before != after)


def preview_member(
    member: dict[str, Any], wanted: Wanted, *, at: datetime
) -> tuple[StageChange, dict[int, int]]:
    """Return what `change_member` would do now; nothing is written.

    :raises MemberNotFound, StageTransitionForbidden: as `change_member`.
    """
    book = read(member, at=at, lots=Lots.ALL)
    _own(member, book.member.number, wanted)
    found = book.member
    change = would_change(found.id, found.number, found.stage, wanted.stage)
    if change.refused:
        raise StageTransitionForbidden(before=found.stage, after=wanted.stage)
    closes = change.changed and wanted.stage == CLOSED and _closing_forfeits()
    taken = forfeit(book.book, reason="The membership was closed.") if closes else {}
    return change, taken


def debts_of(member_ids: Sequence[int]) -> dict[int, dict[int, int]]:
    """Return what members owe, in points by id of their type. No query for nobody."""
    owed: dict[int, dict[int, int]] = {}
    if member_ids:
        rows = Account.objects.filter(member_id__in=member_ids, debt__gt=0)
        for member_id, point_type, debt in rows.values_list("member_id", "point_type_id", "debt"):
            owed.setdefault(member_id, {})[point_type] = debt
    return owed


def unknown_of(numbers: Sequence[str]) -> list[str]:
    """Return those of some member numbers that nobody has. No query for none."""
    return finding.unknown_of(numbers) if numbers else []


@use_case
def change_chunk(job: Running, criteria: Criteria, wanted: Wanted, *, at: datetime) -> bool:
    """Move the next members by key of a mass change; return whether there may be more.

    The job's position and counts are written in the transaction of the chunk: killed at any
    moment and run again, each member is moved and counted once.
    """
    after = (job.position or {}).get("after", 0)
    found = finding.candidates(criteria, wanted.stage, after=after, limit=CHUNK)
    unknown = unknown_of(criteria.members) if job.position is None else []
    if not found and not unknown:
        return False
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '10s'")
        cursor.execute("SET LOCAL statement_timeout = '120s'")
    moved = change_members([each.id for each in found], wanted, at=at)
    refused = [each.change for each in moved if each.change.refused]
    changed = sum(each.change.changed for each in moved)
    job.add(
        changed=changed,
        unchanged=len(moved) - changed - len(refused),
        refused=len(refused) + len(unknown),
        forfeited=sum(sum(each.forfeited.values()) for each in moved),
    )
    place = job.job.done
    lines = {each.id: place + line for line, each in enumerate(found, 1)}
    job.reject([_rejected(lines[each.member_id], each, wanted) for each in refused])
    place += len(found)
    job.reject([_unknown(place + line, number) for line, number in enumerate(unknown, 1)])
    after = found[-1].id if found else after
    job.advance(position={"after": after}, done=len(found) + len(unknown))
    return True


def _rejected(line: int, change: StageChange, wanted: Wanted) -> Rejected:
    refusal = StageTransitionForbidden(before=change.before, after=wanted.stage)
    return Rejected(line, change.number, refusal.code, refusal.detail)


def _unknown(line: int, number: str) -> Rejected:
    refusal = MemberNotFound()
    return Rejected(line, number, refusal.code, refusal.detail)
