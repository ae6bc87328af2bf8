"""The two members who are one person."""

import pytest

from tests.factories.members import MemberFactory


@pytest.fixture
def old(member):
    """The member who is merged: it has the card of every purchase in these tests."""
    return member


@pytest.fixture
def kept(program):
    return MemberFactory(first_name="Ann", card="6275000000000025")
