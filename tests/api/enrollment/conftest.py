"""What an enrolment that was refused must leave as it was."""

import pytest

from loyalty.models import OutboxEvent
from members.models import (
    Activity,
    Card,
    Consent,
    Credential,
    DuplicateFlag,
    Enrolment,
    Member,
)


@pytest.fixture
def nothing_written(program):
    """Assert after the test that it made no member, and nothing that hangs on one."""
    tables = (Member, Card, Consent, Credential, Activity, Enrolment, OutboxEvent, DuplicateFlag)
    before = [table.objects.count() for table in tables]
    yield
    assert [table.objects.count() for table in tables] == before
