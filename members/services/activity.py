"""The account history: everything that happens to a member and is not points."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection

from loyalty.caller import Actor
from members.models import Activity


def record(
    member_id: int,
    kind: str,
    *,
    by: Actor,
    at: datetime,
    reason: str = "",
    data: dict[str, Any] | None = None,
) -> None:
    """Write one line of a member's history, in the transaction of what it tells of; a step.

    `kind` is a past participle such as CARD_REPLACED. `data` holds plain values, and no contact
    or alias in full: history outlives what it tells of.
    """
    record_many([(member_id, data or {})], kind, by=by, at=at, reason=reason)


def record_many(
    lines: Iterable[tuple[int, dict[str, Any]]],
    kind: str,
    *,
    by: Actor,
    at: datetime,
    reason: str = "",
) -> None:
    """Write the same happening for many members, each with its own data; a step."""
    assert connection.in_atomic_block, "history is written with what it tells of"
    Activity.objects.bulk_create(
        Activity(
            member_id=member_id,
            kind=kind,
            at=at,
            actor_kind=by.kind,
            actor=by.name,
            partner_id=by.partner_id,
            reason=reason,
            data=data,
        )
        for member_id, data in lines
    )
