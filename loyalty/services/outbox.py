"""The outbox: what is to be announced, written in the transaction of what happened.

Postings write their own row, in the kernel's one statement (`ledger/sql/post.sql`); everything
else that subscribers hear of goes through here.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from loyalty.models import OutboxEvent


def record(
    type: str,  # noqa: A002 the word of the webhooks
    *,
    at: datetime,
    object_id: UUID | None = None,
    member_id: int | None = None,
    version: int | None = None,
    partner_id: int | None = None,
    payload: dict[str, Any] | None = None,
) -> OutboxEvent:
    """Write one event, such as `job.finished`; a step, so that it is told only if it happened.

    `object_id` names what the body is made of when it is delivered, without one it is the member;
    `payload` is for what will no longer be there then. `version` orders the events of one member.
    """
    assert connection.in_atomic_block, "an event is written with what it tells of"
    return OutboxEvent.objects.create(
        type=type,
        object_id=object_id,
        created_at=at,
        member_id=member_id,
        version=version,
        partner_id=partner_id,
        payload=payload,
    )


def record_many(events: list[OutboxEvent]) -> None:
    """Write several events in one statement, in this order; a step."""
    assert connection.in_atomic_block, "an event is written with what it tells of"
    OutboxEvent.objects.bulk_create(events)
