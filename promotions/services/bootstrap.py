"""What promotions must have before anything runs. Safe to repeat."""

from promotions.models import EventType

ANNIVERSARY = "ANNIVERSARY"


def install() -> None:
    """Make the event types that Laurel itself sends."""
    EventType.objects.get_or_create(
        code=ANNIVERSARY,
        defaults={
            "name": "Anniversary of joining",
            "description": "Sent in the night of the day on which a member joined, each year.",
            "schema": {"years": {"type": "INTEGER", "minimum": 1, "required": True}},
            "own": True,
        },
    )
