"""Which limit holds: the member's, the programme's, or the highest that may be set."""

from decimal import Decimal

import pytest

from members.thresholds import Limits, in_force

NONE = Limits(None, None)
TEN, TWENTY, ZERO = Decimal(10), Decimal(20), Decimal(0)


@pytest.mark.parametrize(
    ("own", "programme", "at_most", "holds"),
    [
        (NONE, NONE, None, NONE),
        (NONE, Limits(TEN, None), None, Limits(TEN, None)),
        (Limits(TWENTY, ZERO), Limits(TEN, TEN), None, Limits(TWENTY, ZERO)),
        (Limits(TWENTY, None), NONE, TEN, Limits(TEN, None)),
        (NONE, NONE, TEN, NONE),
        (Limits(ZERO, ZERO), Limits(TEN, TEN), TEN, Limits(ZERO, ZERO)),
    ],
)
def test_the_limits_in_force(own, programme, at_most, holds):
    assert in_force(own, programme, at_most) == holds


@pytest.mark.parametrize(
    ("one", "other", "above"),
    [
        (NONE, NONE, False),
        (NONE, Limits(TEN, None), True),
        (Limits(TEN, None), NONE, False),
        (Limits(TEN, TWENTY), Limits(TEN, TEN), True),
        (Limits(ZERO, TEN), Limits(TEN, TEN), False),
        (Limits(TWENTY, ZERO), Limits(TEN, TEN), True),
    ],
)
def test_a_limit_rises_where_either_does(one, other, above):
    assert one.is_above(other) is above
