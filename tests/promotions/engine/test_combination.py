"""Which awards stand together: multipliers, limits, groups, and who gives way."""

import pytest

from tests.promotions.engine.calls import (
    BASE,
    PER_EURO,
    SIX_AT_MOST,
    TWICE,
    points,
    purchase,
    version,
)


@pytest.mark.parametrize(("multiply", "extra"), [("BEFORE", 10), ("AFTER", 6)])
def test_a_multiplier_takes_the_base_before_or_after_its_limits(multiply, extra):
    doubled = version(2, award=TWICE, combination={"multiply": multiply})

    found = points(purchase(1000), version(1, **BASE, **SIX_AT_MOST), doubled)

    assert found == {("P01", 1): 6, ("P02", 1): extra}


@pytest.mark.parametrize("multiply", ["BEFORE", "AFTER"])
def test_a_base_that_its_limit_drops_is_not_multiplied(multiply):
    dropped = {"limits": [{**SIX_AT_MOST["limits"][0], "then": "SKIP"}]}
    doubled = version(2, award=TWICE, combination={"multiply": multiply})

    assert points(purchase(1000), version(1, **BASE, **dropped), doubled) == {}


def test_a_promotion_that_gives_way_changes_nothing_for_a_multiplier():
    base, doubled = version(1, **BASE, **SIX_AT_MOST), version(2, award=TWICE)
    gives_way = version(3, combination={"priority": -9, "stackable": False})

    alone = points(purchase(1000), base, doubled)

    assert points(purchase(1000), base, doubled, gives_way) == alone


@pytest.mark.parametrize("together", [{"stackable": False}, {"group": "G"}])
def test_a_multiplier_that_would_push_out_its_own_base_awards_nothing(together):
    base = version(1, combination={"base": True, "group": "G"})
    selfish = version(2, award=TWICE, combination={"priority": 5, **together})

    assert points(purchase(1000), base, selfish) == {("P01", 1): 10}


@pytest.mark.parametrize("at_most", [10, "10.00"])
def test_a_limit_of_an_amount_is_money_of_the_programme(at_most):
    limit = {"per": "TRANSACTION", "measure": "AMOUNT", "at_most": at_most}

    assert points(purchase(2000), version(limits=[limit])) == {("P01", 1): 10}


def test_two_multipliers_add_their_extras():
    base = version(1, combination={"base": True})
    twice = {"kind": "MULTIPLIER", "type": "PTS", "factor": "2"}

    found = points(purchase(1000), base, version(2, award=twice), version(3, award=twice))

    assert found == {("P01", 1): 10, ("P02", 1): 10, ("P03", 1): 10}


def test_one_that_does_not_stack_stands_alone_or_not_at_all():
    alone = {"priority": 5, "stackable": False}
    first = version(2, combination=alone)
    late = version(3, combination={"priority": -5, "stackable": False})

    assert points(purchase(500), version(1), first) == {("P02", 1): 5}
    assert points(purchase(500), version(1), late) == {("P01", 1): 5}


def test_of_a_group_only_the_best_stands():
    group = {"combination": {"group": "G"}}
    better = {**PER_EURO, "points": 3}

    found = points(purchase(500), version(1, **group), version(2, award=better, **group))

    assert found == {("P02", 1): 15}
