from datetime import timedelta

import pytest

from tests.api.events.calls import GIFT
from tests.factories.events import EventTypeFactory
from tests.factories.promotions import promotion


@pytest.fixture
def survey(member):
    """A survey, and 50 points for a good score."""
    member.joined_at -= timedelta(days=100)
    member.save()
    made = EventTypeFactory()
    promotion("GOOD", trigger="EVENT", event="SURVEY", award=GIFT, condition="event.score >= 8")
    return made
