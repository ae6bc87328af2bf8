"""Events are written with what they tell of, or not at all."""

import uuid
from datetime import UTC, datetime

import pytest
from django.db import transaction

from loyalty.models import OutboxEvent
from loyalty.services import outbox

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
THING = uuid.UUID("0198c0de-0000-7000-8000-000000000001")


def test_an_event_says_who_and_what(db):
    outbox.record(
        "member.enrolled",
        object_id=THING,
        at=AT,
        member_id=5,
        version=1,
        partner_id=2,
        payload={"a": 1},
    )

    event = OutboxEvent.objects.values().get()
    assert event.pop("transaction_id") > 0
    del event["id"]
    assert event == {
        "type": "member.enrolled",
        "member_id": 5,
        "version": 1,
        "partner_id": 2,
        "object_id": THING,
        "created_at": AT,
        "payload": {"a": 1},
    }


def test_what_is_rolled_back_is_not_told(transactional_db):
    with transaction.atomic():
        outbox.record("job.finished", object_id=THING, at=AT)
        transaction.set_rollback(True)

    assert not OutboxEvent.objects.exists()


def test_an_event_outside_a_transaction_is_a_mistake(transactional_db):
    with pytest.raises(AssertionError, match="with what it tells of"):
        outbox.record("job.finished", object_id=THING, at=AT)
