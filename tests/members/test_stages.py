"""What each stage allows, row by row as the contract has it (API.md 1)."""

import pytest

from members.models import Member
from members.stages import may_earn, may_redeem

TABLE = {
    "PENDING": (True, False),
    "ACTIVE": (True, True),
    "SUSPENDED": (False, False),
    "DISABLED": (False, False),
    "EXPIRED": (True, False),
    "MERGED": (False, False),  # Its survivor is asked in its place.
    "CLOSED": (False, False),
}


@pytest.mark.parametrize("stage", Member.Stage.values)
def test_a_stage_allows_what_the_contract_says(stage):
    assert (may_earn(stage), may_redeem(stage)) == TABLE[stage]
