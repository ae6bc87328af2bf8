"""Members who may be one person: found by their contacts, refused, or flagged for a merge."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q

from members.models import DuplicateFlag, Member
from members.services.profile import CONTACTS

# Gone, so that whoever left may come again; a merged one is its survivor.
_GONE = (Member.Stage.CLOSED, Member.Stage.MERGED)


def hold(*names: str) -> None:
    """Make everybody else who needs one of these names wait for this transaction; a step.

    A name is that of something which only one enrolment may take, such as `email ann@example.org`:
    whoever waited then sees the member who took it.
    """
    assert connection.in_atomic_block
    if names:
        with connection.cursor() as cursor:
            # One after the other in one order, so that two enrolments cannot wait for each other.
            cursor.execute(
                "SELECT pg_advisory_xact_lock(key) FROM ("
                " SELECT DISTINCT hashtextextended(name, 1) AS key FROM unnest(%s::text[]) AS name"
                " ORDER BY key) AS keys",
                [list(names)],
            )


def contact_names(stored: Mapping[str, Any]) -> list[str]:
    """Return the names to `hold` of the contacts in a profile."""
    return [f"{name} {stored[name]}" for name in CONTACTS if stored.get(name)]


def same_contact(stored: Mapping[str, Any], *, but: int | None = None) -> list[Member]:
    """Return the members who have a contact of this profile, the earliest first. One query."""
    match = Q()
    for name in CONTACTS:
        if stored.get(name):
            match |= Q(**{name: stored[name]})
    if not match:
        return []
    found = Member.objects.filter(match).exclude(stage__in=_GONE)
    if but is not None:
        found = found.exclude(pk=but)
    return list(found.select_related("tier").order_by("pk"))


def shared_contacts(stored: Mapping[str, Any], members: Iterable[Member]) -> list[str]:
    """Return which contacts of a profile one of the members has."""
    members = list(members)
    return [
        name
        for name in CONTACTS
        if stored.get(name) and any(getattr(each, name) == stored[name] for each in members)
    ]


def flag(member: Member, others: Iterable[Member], *, matched: list[str], at: datetime) -> None:
    """Put pairs of members on the list of those who may be one person; known ones stay. A step."""
    assert connection.in_atomic_block
    DuplicateFlag.objects.bulk_create(
        [
            DuplicateFlag(
                earlier_id=min(member.pk, other.pk),
                later_id=max(member.pk, other.pk),
                matched=", ".join(matched),
                flagged_at=at,
            )
            for other in others
        ],
        ignore_conflicts=True,
    )


def resolve_flag(row: DuplicateFlag, status: str, *, by: str, at: datetime) -> None:
    """Take a pair from the list: it was merged, or these are two persons."""
    DuplicateFlag.objects.filter(pk=row.pk, status=DuplicateFlag.Status.OPEN).update(
        status=status, resolved_at=at, resolved_by=by
    )
