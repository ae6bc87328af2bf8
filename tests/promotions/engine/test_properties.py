"""The engine equals a naive oracle, and no order and no split changes what is earned."""

from hypothesis import given, settings
from hypothesis import strategies as st

from promotions.engine.evaluate import evaluate
from promotions.engine.money import share_out, to_minor, to_text
from promotions.engine.snapshot import Snapshot
from promotions.engine.types import MemberFacts
from tests.promotions.engine.calls import (
    DAILY,
    MEMBER,
    PER_EURO,
    SIX_AT_MOST,
    TEN,
    points,
    purchase,
    version,
)
from tests.promotions.oracle import points_by_version

AWARDS = st.sampled_from(
    [
        PER_EURO,
        {**PER_EURO, "scope": "BASKET", "rounding": "HALF_UP"},
        {**PER_EURO, "points": 7, "per": "3.50", "rounding": "CEILING"},
        {"kind": "FIXED", "type": "PTS", "points": 25},
        {"kind": "PER_ITEM", "type": "PTS", "points": 2},
        {"kind": "MULTIPLIER", "type": "PTS", "factor": "1.5"},
        {"kind": "MULTIPLIER", "type": "PTS", "factor": "3", "scope": "BASKET"},
        {
            "kind": "BANDED",
            "type": "PTS",
            "bands": [{"from": "3.00", "points": 4}, {"from": "9.00", "points": 2, "per": "1.00"}],
        },
    ]
)


CONDITIONS = st.sampled_from(
    [
        {},
        {"lines": {"include": {"category": ["CAT1", "CAT3"]}}},
        {"lines": {"include": {"sku": ["SKU2"]}}},
        {"lines": {"include": {"brand": ["OWN"]}, "exclude": {"sku": ["SKU1"]}}},
        {"minimum": {"amount": "6.00"}},
        {"minimum": {"quantity": "2"}},
        {"audience": {"tiers": ["GOLD"]}},
        {"weekdays": ["SAT"]},
        {"audience": {"guests": True}},
        {"audience": {"segments": ["A", "B"]}},
        {"audience": {"not_segments": ["B"]}, "lines": {"include": {"sku": ["SKU1"]}}},
        {"audience": {"segments": ["B"], "partners": ["GROCER"]}},
        {"condition": "basket.amount >= 7.0 && !('B' in member.segments)"},
        {"trigger": "ENROLMENT"},
    ]
)


COMBINATIONS = st.sampled_from(
    [
        {},
        {"priority": 3},
        {"group": "G"},
        {"group": "G", "priority": 1},
        {"stackable": False},
        {"stackable": False, "priority": 2},
        {"multiply": "BEFORE"},
    ]
)


LIMITS = st.sampled_from(
    [
        {},
        {},
        SIX_AT_MOST,
        {"limits": [{"per": "TRANSACTION", "measure": "POINTS", "at_most": 9, "then": "SKIP"}]},
        {"limits": [{"per": "TRANSACTION", "measure": "AMOUNT", "at_most": "4.00"}]},
        {"limits": [{**DAILY, "measure": "POINTS", "at_most": 99}]},
        {"limits": [{**DAILY, "measure": "USES", "at_most": 99}]},
        {"budget": {"measure": "POINTS", "at_most": 99, "then": "SKIP"}},
    ]
)


LEFT = st.sampled_from([0, 1, 5, 12])


BASES = st.sampled_from([{"base": True}, {"base": True, "group": "G"}])


@st.composite
def programmes(draw):
    versions = [version(1, combination=draw(BASES), **draw(LIMITS))]
    for number in range(2, draw(st.integers(2, 7))):
        content = {**draw(CONDITIONS), **draw(LIMITS)}
        award = TEN["award"] if "trigger" in content else draw(AWARDS)
        if "trigger" in content:
            content.pop("limits", None)
        versions.append(version(number, award=award, combination=draw(COMBINATIONS), **content))
    return versions


NETS = st.lists(st.integers(0, 1500), min_size=1, max_size=4)


WHO = st.sampled_from(
    [
        MEMBER,
        MemberFacts("GOLD", "ACTIVE", segments=("A",)),
        MemberFacts("BASE", "ACTIVE", segments=("A", "B")),
        None,
    ]
)


@settings(max_examples=400, deadline=None)
@given(versions=programmes(), nets=NETS, who=WHO, data=st.data())
def test_the_engine_equals_the_naive_oracle(versions, nets, who, data):
    bought = purchase(*nets)
    left = {each.id: (data.draw(LEFT),) for each in versions if each.counted}
    found: dict[int, int] = {}
    for award in evaluate(bought, who, Snapshot(versions), ceilings=left).awards:
        found[award.version_id] = found.get(award.version_id, 0) + award.points

    assert found == points_by_version(bought, who, versions, left)


@settings(max_examples=100, deadline=None)
@given(versions=programmes(), nets=NETS, data=st.data())
def test_the_order_of_promotions_never_matters(versions, nets, data):
    shuffled = data.draw(st.permutations(versions))
    bought = purchase(*nets)

    one = evaluate(bought, MEMBER, Snapshot(versions))
    other = evaluate(bought, MEMBER, Snapshot(shuffled))

    assert set(one.awards) == set(other.awards)


@settings(max_examples=200, deadline=None)
@given(nets=NETS, data=st.data())
def test_a_basket_split_in_two_never_earns_more(nets, data):
    cut = data.draw(st.integers(0, len(nets)))
    rule = version(award={**PER_EURO, "scope": "BASKET"})

    def total(part):
        return sum(points(purchase(*part), rule).values()) if part else 0

    assert total(nets[:cut]) + total(nets[cut:]) <= total(nets)


@given(total=st.integers(0, 10_000), weights=st.lists(st.integers(0, 5_000), max_size=8))
def test_shares_sum_to_the_total(total, weights):
    shares = share_out(total, weights)

    assert sum(shares) == (total if sum(weights) else 0)
    if total <= sum(weights):
        assert all(share <= weight for share, weight in zip(shares, weights, strict=True))


@given(minor=st.integers(0, 10**12), currency=st.sampled_from(["EUR", "JPY", "KWD"]))
def test_money_reads_back_as_it_was_written(minor, currency):
    assert to_minor(to_text(minor, currency), currency) == minor
