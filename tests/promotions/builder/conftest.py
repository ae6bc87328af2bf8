"""What the builder's promotions name."""

import pytest

from promotions.models import EventType
from tests.factories.partners import PartnerFactory
from tests.factories.segments import SegmentFactory
from tests.factories.vouchers import VoucherTypeFactory


@pytest.fixture
def world(program):
    PartnerFactory(code="GROCER", outlets=["S1", "S2"])
    SegmentFactory(code="VIP")
    SegmentFactory(code="STAFF")
    VoucherTypeFactory(code="FIVE")
    EventType.objects.get_or_create(code="SURVEY", defaults={"name": "Survey"})
