"""A clock to turn, a plan, and a member who subscribes."""

import pytest
import time_machine

from tests.api.subscription.calls import START, body
from tests.factories.vouchers import PlanFactory


@pytest.fixture
def clock():
    """The clock of the tests, which stands still until it is moved."""
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def plan(program, clock):
    return PlanFactory(code="GOLD", benefits=["PARKING", "LOUNGE"])


@pytest.fixture
def subscribe(house, member):
    def send(**changes):
        return house.post(f"/members/{member.number}/subscriptions/", body(**changes))

    return send
