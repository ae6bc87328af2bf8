"""Moving members from one stage to another, with what that ends."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from loyalty import token_cache
from loyalty.caller import Actor
from members import stages
from members.errors import StageTransitionForbidden
from members.queries.stages import may_sign_in


@dataclass(frozen=True, slots=True)
class StageChange:
    """A member, the stage it was in, and whether it was moved.

    One who was there already was not moved and is fine; `refused` says that the move is illegal.
    """

    member_id: int
    number: str
    before: str
    changed: bool
    refused: bool


# Replaces five statements a member: lock, move, history, announcement, and the end of sessions.
_CHANGE = """
WITH found AS (
    SELECT id, number, stage FROM members_member WHERE id = ANY (%(ids)s)
    ORDER BY id FOR NO KEY UPDATE
), moved AS (
    UPDATE members_member m SET stage = %(stage)s, stage_since = %(at)s
    FROM found WHERE m.id = found.id AND found.stage = ANY (%(legal)s)
    RETURNING m.id, found.stage AS before
), told AS (
    INSERT INTO members_activity (
        member_id, kind, at, actor_kind, actor, partner_id, reason, data)
    SELECT id, 'STAGE_CHANGED', %(at)s, %(actor_kind)s, %(actor)s, %(partner)s, %(reason)s,
           jsonb_build_object('from', before, 'to', %(stage)s::text)
    FROM moved ORDER BY id
), announced AS (
    INSERT INTO loyalty_outboxevent (type, member_id, created_at, payload)
    SELECT 'member.stage_changed', id, %(at)s,
           jsonb_build_object('from', before, 'to', %(stage)s::text, 'reason', %(reason)s::text)
    FROM moved ORDER BY id
), ended AS (
    UPDATE members_session s SET ended_at = %(at)s
    FROM moved WHERE s.member_id = moved.id AND s.ended_at IS NULL AND NOT %(sign_in)s
    RETURNING s.id
)
SELECT f.id, f.number, f.stage, m.id IS NOT NULL, (SELECT count(*) FROM ended)
FROM found f LEFT JOIN moved m ON m.id = f.id ORDER BY f.id
"""


def change_stage(
    member_id: int, stage: str, *, by: Actor, at: datetime, reason: str = ""
) -> StageChange:
    """Move a member to another stage, with its history line and announcement; a step.

    Ends its sessions where the new stage forbids signing in. What takes rights to points away
    holds the member's book first (`ledger.services.stage`), so that a posting never sees half.

    :raises StageTransitionForbidden: if the one stage does not lead to the other.
    """
    [change] = change_stages([member_id], stage, by=by, at=at, reason=reason)
    if change.refused:
        raise StageTransitionForbidden(before=change.before, after=stage)
    return change


def change_stages(
    member_ids: Iterable[int], stage: str, *, by: Actor, at: datetime, reason: str = ""
) -> list[StageChange]:
    """Move those of several members who may be moved, in one statement; a step. In order of id.

    Locks their rows in that order. Other processes may take an ended session's token for up to
    30 s more (`loyalty.token_cache`).
    """
    assert connection.in_atomic_block, "a stage is changed with what depends on it"
    arguments: dict[str, Any] = {
        "ids": list(member_ids),
        "stage": stage,
        "legal": stages.leading_to(stage),
        "at": at,
        "actor_kind": by.kind,
        "actor": by.name,
        "partner": by.partner_id,
        "reason": reason,
        "sign_in": may_sign_in(stage),
    }
    with connection.cursor() as cursor:
        cursor.execute(_CHANGE, arguments)
        rows = cursor.fetchall()
    if any(ended for *_, ended in rows):
        token_cache.clear()
    return [
        StageChange(key, number, before, changed, refused=not changed and before != stage)
        for key, number, before, changed, _ in rows
    ]
