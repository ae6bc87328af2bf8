"""Sending an event, and changing its type as the back office does."""

from promotions.models import EventType
from tests.factories.events import EventTypeFactory

GIFT = {"kind": "FIXED", "type": "PTS", "points": 50}


def event(now, reference="E1", **changes):
    body = {
        "member": {"card": "6275000000000017"},
        "type": "SURVEY",
        "reference": reference,
        "occurred_at": now.isoformat(),
        "attributes": {"score": 9},
    }
    return {key: value for key, value in {**body, **changes}.items() if value is not None}


def send(api, body, status=201):
    response = api.post("/events/", body)
    assert response.status_code == status, response.json()
    return response.json()


def set_type(**changes):
    """Change the type as the back office does."""
    EventType.objects.filter(code="SURVEY").delete()
    return EventTypeFactory(**changes)
