"""Purchases made before their member enrolled, which a member may claim for a while.

They are evaluated as of the enrolment: at the tier and stage held then, in the segments of then.
That a purchase is claimed once is what references are for: the till's own is unique.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ledger.errors import TooOld
from ledger.queries.books import OpenBook, execute
from ledger.queries.configuration import Configuration
from members.models import Activity
from promotions.services import facts
from promotions.services.facts import Known


@dataclass(frozen=True, slots=True)
class AsEnrolled:
    """What a claimed purchase is evaluated on."""

    tier: str
    stage: str
    known: Known


def enrolled_at(book: OpenBook, settings: Configuration, occurred_at: datetime) -> datetime:
    """Return since when the member is one: the earliest enrolment, where others were merged in.

    One query, for what seems to be before it; none for anything else.
    """
    joined = book.member.joined_at
    if occurred_at >= joined - settings.future_tolerance:
        return joined
    row = execute(
        "SELECT min(joined_at) FROM members_member WHERE id = ANY (ledger_merged(%s))",
        (book.member.id,),
    )
    earliest: datetime = row[0]
    return earliest


def is_claim(book: OpenBook, settings: Configuration, occurred_at: datetime) -> bool:
    """Return whether a purchase was made before the member enrolled.

    A till's clock may run behind ours, by as much as it may run ahead.
    """
    joined = enrolled_at(book, settings, occurred_at)
    return occurred_at < joined - settings.future_tolerance


def check_claim(book: OpenBook, settings: Configuration, occurred_at: datetime) -> None:
    """:raises TooOld: if a purchase was made longer before the enrolment than may be claimed."""
    joined = enrolled_at(book, settings, occurred_at)
    earliest = joined - max(settings.claim_window, settings.future_tolerance)
    if occurred_at < earliest:
        raise TooOld(accepted_from=earliest)


def as_enrolled(
    book: OpenBook, known: Known, asked: dict[str, Any] | None, *, tier: str
) -> AsEnrolled:
    """Return the facts of a member when they enrolled; `tier` is the one held now.

    Two or three queries. Limits count on as they stand.
    """
    joined = book.member.joined_at
    then = known
    if asked is not None:
        read = facts.read_known(book.book.member_id, {**asked, "then": True}, at=joined)
        then = replace(known, segments=read.segments)
    return AsEnrolled(
        _held(book.member.id, "TIER_CHANGED", joined, tier),
        _held(book.member.id, "STAGE_CHANGED", joined, book.member.stage),
        then,
    )


def _held(member_id: int, kind: str, at: datetime, now: str) -> str:
    """Return what the history says was held at an instant, of what is held now."""
    moves = Activity.objects.filter(member_id=member_id, kind=kind).order_by("pk")
    held: str | None = None
    for moved_at, data in moves.values_list("at", "data"):
        if moved_at > at:
            return held if held is not None else str(data["from"])
        held = str(data["to"])
    return now
