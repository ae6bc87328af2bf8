"""A real receiver, and a programme that is committed."""

import pytest

from tests.api.webhooks.calls import Receiver
from tests.conftest import Api
from tests.factories.members import MemberFactory
from tests.factories.partners import PartnerFactory, token_for


@pytest.fixture
def receiver(settings):
    settings.WEBHOOKS_TO_PRIVATE_ADDRESSES = True
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def world(committed_program):
    """A grocer with a till and a member, committed: deliveries run in threads of their own."""
    partner = PartnerFactory(code="GROCER", outlets=["S1"])
    till = Api(token_for(partner=partner))
    till.partner, till.member = partner, MemberFactory(card="6275000000000017")
    return till
