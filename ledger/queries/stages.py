"""Finding members by stage and by how long they have done nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from members import stages

SAMPLE = 20


class Criteria(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whom a change of stage is for: all that is given must hold, and something must be given.

    Without `members`, those who are in the wanted stage already, or in a final one, are passed
    over; members that are named are judged one by one.
    """

    stages: tuple[str, ...] = ()
    inactive_since: datetime | None = None
    members: tuple[str, ...] = ()


class Candidate(msgspec.Struct, frozen=True):
    """A member that fits, as it stands."""

    id: int
    number: str
    stage: str


# Activity is an earn or a redemption by the till's time (DESIGN 2.7). Most quiet members are told
# by their book alone; the others' transactions are looked at by the index on (member, version).
_INACTIVE = """
    AND m.joined_at < %(since)s AND (
        b.last_posted_at IS NULL OR b.last_posted_at < %(since)s
        OR NOT EXISTS (
            SELECT 1 FROM ledger_transaction t
            WHERE t.member_id = m.id AND t.kind IN ('EARN', 'REDEMPTION')
              AND t.occurred_at >= %(since)s))
"""


def _where(criteria: Criteria, stage: str) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {"final": list(stages.FINAL), "stage": stage}
    text = " FROM members_member m"
    if criteria.inactive_since is not None:
        text += " LEFT JOIN ledger_book b ON b.member_id = m.id"
    text += " WHERE true"
    if criteria.members:
        text += " AND m.number = ANY (%(members)s)"
        values["members"] = list(criteria.members)
    else:
        text += " AND m.stage <> %(stage)s"
    if criteria.stages:
        text += " AND m.stage = ANY (%(stages)s)"
        values["stages"] = list(criteria.stages)
    elif not criteria.members:
        text += " AND m.stage <> ALL (%(final)s)"
    if criteria.inactive_since is not None:
        text += _INACTIVE
        values["since"] = criteria.inactive_since
    return text, values


def candidates(criteria: Criteria, stage: str, *, after: int = 0, limit: int) -> list[Candidate]:
    """Return who fits, after a key and in its order, at most `limit`. One query.

    `after` and `limit` walk the primary key, so a chunk costs the same at any depth.
    """
    text, values = _where(criteria, stage)
    statement = (
        "SELECT m.id, m.number, m.stage"
        + text
        + " AND m.id > %(after)s ORDER BY m.id LIMIT %(limit)s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, {**values, "after": after, "limit": limit})
        return [Candidate(*row) for row in cursor.fetchall()]


def count(criteria: Criteria, stage: str) -> tuple[int, int, int]:
    """Return how many fit, how many of them may not be moved, and how many are there already."""
    text, values = _where(criteria, stage)
    statement = (
        "SELECT count(*), count(*) FILTER (WHERE m.stage <> ALL (%(legal)s) AND m.stage <>"
        " %(stage)s), count(*) FILTER (WHERE m.stage = %(stage)s)" + text
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, {**values, "legal": stages.leading_to(stage)})
        found: tuple[int, int, int] = cursor.fetchone()
    return found


def unknown_of(numbers: Sequence[str]) -> list[str]:
    """Return those of some member numbers that nobody has, in their order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT number FROM members_member WHERE number = ANY (%s)", [list(numbers)])
        known = {number for (number,) in cursor.fetchall()}
    return [number for number in dict.fromkeys(numbers) if number not in known]


def holders(member_ids: Sequence[int]) -> list[int]:
    """Return those of some members who hold points in any state."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT member_id FROM ledger_account WHERE member_id = ANY (%s)"
            " AND available + pending + locked > 0",
            [list(member_ids)],
        )
        return [key for (key,) in cursor.fetchall()]
