"""An entity with its schema."""

import pytest

from tests.api.masters.calls import CITY


@pytest.fixture
def city(house):
    assert house.put("/masters/city/schema/", CITY).status_code == 201
    return house
