"""The engine: by table, against a naive oracle, and what must hold for every basket."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promotions.engine.basket import (
    Basket,
    BasketInvalid,
    BasketLine,
    Product,
    TendersDiffer,
    purchase_of,
)
from promotions.engine.definition import Definition, Invalid, check
from promotions.engine.evaluate import evaluate
from promotions.engine.money import share_out, to_minor, to_text
from promotions.engine.snapshot import Snapshot, compile_version
from promotions.engine.types import PIECE, Line, MemberFacts, Purchase
from tests.promotions.oracle import points_by_version

AT = datetime(2026, 3, 7, 12, tzinfo=UTC)  # a Saturday
MEMBER = MemberFacts("BASE", "ACTIVE")
PER_EURO = {"kind": "PER_AMOUNT", "type": "PTS", "points": 1, "per": "1.00"}


def version(number=1, *, live=((AT - timedelta(days=9), None),), **content):
    definition = msgspec.convert({"name": "x", "award": PER_EURO, **content}, Definition)
    check(definition)
    return compile_version(
        id=number,
        promotion=f"P{number:02}",
        number=1,
        live=live,
        definition=definition,
        currency="EUR",
    )


def purchase(*nets, at=AT, **changes):
    lines = tuple(
        Line(place, f"SKU{place}", PIECE, net, path=("FOOD", f"CAT{place}"), brand="OWN")
        for place, net in enumerate(nets, 1)
    )
    return msgspec.structs.replace(Purchase(at, at, "GROCER", "EUR", lines), **changes)


def points(bought, *versions, member=MEMBER):
    found = evaluate(bought, member, Snapshot(versions))
    return {(award.promotion, award.line): award.points for award in found.awards if award.points}


@pytest.mark.parametrize(
    ("_case", "award", "nets", "expected"),
    [
        ("whole euros of each line", PER_EURO, [463, 84], {("P01", 1): 4}),
        ("of the basket", {**PER_EURO, "scope": "BASKET"}, [463, 84], {("P01", None): 5}),
        ("rounded half up", {**PER_EURO, "rounding": "HALF_UP"}, [463, 84], {("P01", 1): 5, ("P01", 2): 1}),
        ("rounded up", {**PER_EURO, "rounding": "CEILING"}, [401, 1], {("P01", 1): 5, ("P01", 2): 1}),
        ("ten for each two euros", {**PER_EURO, "points": 10, "per": "2.00"}, [599], {("P01", 1): 20}),
        ("once", {"kind": "FIXED", "type": "PTS", "points": 50}, [1], {("P01", None): 50}),
        ("for each piece", {"kind": "PER_ITEM", "type": "PTS", "points": 3}, [5, 5], {("P01", 1): 3, ("P01", 2): 3}),
        ("below every band", {"kind": "BANDED", "type": "PTS", "bands": [{"from": "10.00", "points": 5}]}, [999], {}),
        ("the highest band", {"kind": "BANDED", "type": "PTS", "bands": [{"from": "10.00", "points": 5}, {"from": "20.00", "points": 2, "per": "1.00"}]}, [2050], {("P01", None): 40}),
        ("nothing for nothing", PER_EURO, [0], {}),
    ],
)  # fmt: skip
def test_an_award_gives(_case, award, nets, expected):
    assert points(purchase(*nets), version(award=award)) == expected


@pytest.mark.parametrize(
    ("_case", "content", "applies"),
    [
        ("the tier", {"audience": {"tiers": ["BASE"]}}, True),
        ("another tier", {"audience": {"tiers": ["GOLD"]}}, False),
        ("the weekday", {"weekdays": ["SAT"]}, True),
        ("another weekday", {"weekdays": ["MON"]}, False),
        ("the hours", {"hours": {"from": "11:00:00", "to": "12:00:01"}}, True),
        ("the end is exclusive", {"hours": {"from": "11:00:00", "to": "12:00:00"}}, False),
        ("over midnight", {"hours": {"from": "22:00:00", "to": "12:30:00"}}, True),
        ("before it begins", {"active_from": "2026-03-08T00:00:00Z"}, False),
        ("it ends at this instant", {"active_to": "2026-03-07T12:00:00Z"}, False),
        ("another partner", {"audience": {"partners": ["OTHER"]}}, False),
        ("an outlet", {"audience": {"outlets": ["S1"]}}, False),
        ("a coupon that was not shown", {"coupons": ["SPRING"]}, False),
        ("a category above", {"lines": {"include": {"category": ["FOOD"]}}}, True),
        ("another category", {"lines": {"include": {"category": ["FUEL"]}}}, False),
        ("an excluded product", {"lines": {"exclude": {"sku": ["SKU1"]}}}, False),
        ("both keys", {"lines": {"include": {"category": ["CAT1"], "brand": ["OWN"]}}}, True),
        ("one of two keys", {"lines": {"include": {"category": ["CAT1"], "brand": ["OTHER"]}}}, False),
    ],
)  # fmt: skip
def test_a_condition_decides(_case, content, applies):
    assert bool(points(purchase(500), version(**content))) is applies


def test_a_missed_minimum_is_a_near_miss_with_what_is_missing():
    found = evaluate(purchase(4200), MEMBER, Snapshot([version(minimum={"amount": "50.00"})]))

    assert found.awards == ()
    assert [(miss.reason, miss.missing) for miss in found.near_misses] == [
        ("MINIMUM_AMOUNT", "8.00")
    ]


def test_a_multiplier_adds_its_extra_and_leaves_the_base_visible():
    base = version(1, combination={"base": True})
    half_more = version(2, award={"kind": "MULTIPLIER", "type": "PTS", "factor": "1.5"})

    assert points(purchase(500, 300), base, half_more) == {
        ("P01", 1): 5,
        ("P01", 2): 3,
        ("P02", 1): 2,
        ("P02", 2): 1,
    }


SIX_AT_MOST = {"limits": [{"per": "TRANSACTION", "measure": "POINTS", "at_most": 6}]}
TWICE = {"kind": "MULTIPLIER", "type": "PTS", "factor": "2"}
BASE = {"combination": {"base": True}}


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


@pytest.mark.parametrize(
    ("attributes", "wanted", "applies"),
    [
        ({"labels": ["BIO", "VEGAN"]}, {"labels": ["VEGAN"]}, True),
        ({"labels": ["BIO"]}, {"labels": ["VEGAN"]}, False),
        ({"own": True}, {"own": ["true"]}, True),
        ({"size": 5}, {"size": ["5"]}, True),
        ({}, {"size": ["5"]}, False),
    ],
)
def test_a_line_is_chosen_by_any_attribute(attributes, wanted, applies):
    line = Line(1, "SKU1", PIECE, 500, attributes=attributes)
    chosen = version(lines={"include": wanted})

    assert bool(points(purchase(lines=(line,)), chosen)) is applies


def test_a_missed_quantity_is_told_exactly():
    asked = version(minimum={"quantity": "1234568.5"})

    [miss] = evaluate(purchase(500), MEMBER, Snapshot([asked])).near_misses

    assert (miss.reason, miss.missing) == ("MINIMUM_QUANTITY", "1234567.5")


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


def test_tenders_that_do_not_earn_lower_the_basis():
    from promotions.engine.types import Tender

    bought = purchase(600, 400, tenders=(Tender("GIFT_CARD", 500), Tender("CASH", 500)))

    assert points(bought, version(not_tenders=["GIFT_CARD"])) == {("P01", 1): 3, ("P01", 2): 2}


def test_a_guest_sees_only_promotions_for_guests():
    for_guests = version(2, audience={"guests": True})

    assert points(purchase(500), version(1), for_guests, member=None) == {("P02", 1): 5}


def test_a_version_counts_only_while_it_is_live():
    paused = version(live=[(AT - timedelta(days=9), AT - timedelta(days=1)), (AT, None)])

    assert points(purchase(500), paused)
    assert not points(purchase(500, at=AT - timedelta(hours=1)), paused)


def test_a_limit_cuts_the_award_or_drops_it():
    cut = {"limits": [{"per": "TRANSACTION", "measure": "POINTS", "at_most": 6}]}
    drop = {"limits": [{**cut["limits"][0], "then": "SKIP"}]}

    assert points(purchase(500, 400), version(**cut)) == {("P01", 1): 5, ("P01", 2): 1}
    assert points(purchase(500, 400), version(**drop)) == {}


def test_a_ceiling_is_never_passed():
    found = evaluate(purchase(500, 400), MEMBER, Snapshot([version()]), ceilings={1: 3})

    assert sum(award.points for award in found.awards) == 3


def test_an_explanation_names_every_condition_with_what_was_seen():
    asked = version(audience={"tiers": ["BASE"]}, weekdays=["SAT"])

    found = evaluate(purchase(500), MEMBER, Snapshot([asked]), explain=True)

    [why] = found.explanations
    assert [(c.name, c.seen, c.met) for c in why.conditions] == [
        ("weekdays", "SAT", True),
        ("tiers", "BASE", True),
    ]
    assert (why.base, why.rounding, why.steps) == (500, "FLOOR per line", ("line 1: 5",))


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        ({"award": {"kind": "FIXED", "type": "PTS"}}, "/award/points"),
        ({"award": {"kind": "FIXED", "type": "PTS", "points": 1, "per": "1"}}, "/award/per"),
        ({"award": {**PER_EURO, "per": "0"}}, "/award/per"),
        ({"award": {"kind": "MULTIPLIER", "type": "PTS", "factor": "1"}}, "/award/factor"),
        ({"active_from": "2026-02-01T00:00:00Z", "active_to": "2026-01-01T00:00:00Z"}, "/active_to"),
        ({"audience": {"guests": True, "tiers": ["GOLD"]}}, "/audience/guests"),
        ({"limits": [{**SIX_AT_MOST["limits"][0], "at_most": "6.00"}]}, "/limits/0/at_most"),
        ({"limits": [{**SIX_AT_MOST["limits"][0], "measure": "AMOUNT", "at_most": "0"}]}, "/limits/0/at_most"),
    ],
)  # fmt: skip
def test_a_definition_that_contradicts_itself_is_refused(content, pointer):
    with pytest.raises(Invalid) as refusal:
        version(**content)

    assert refusal.value.pointer == pointer


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
    ]
)
BASES = st.sampled_from([{"base": True}, {"base": True, "group": "G"}])


@st.composite
def programmes(draw):
    versions = [version(1, combination=draw(BASES), **draw(LIMITS))]
    for number in range(2, draw(st.integers(2, 7))):
        content = {**draw(CONDITIONS), **draw(LIMITS)}
        versions.append(
            version(number, award=draw(AWARDS), combination=draw(COMBINATIONS), **content)
        )
    return versions


NETS = st.lists(st.integers(0, 1500), min_size=1, max_size=4)
WHO = st.sampled_from([MEMBER, MemberFacts("GOLD", "ACTIVE"), None])


@settings(max_examples=400, deadline=None)
@given(versions=programmes(), nets=NETS, who=WHO)
def test_the_engine_equals_the_naive_oracle(versions, nets, who):
    bought = purchase(*nets)
    found: dict[int, int] = {}
    for award in evaluate(bought, who, Snapshot(versions)).awards:
        found[award.version_id] = found.get(award.version_id, 0) + award.points

    assert found == points_by_version(bought, who, versions)


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


def basket(**changes):
    lines = (
        BasketLine(1, "A", "2", "5.98", discount="0.50"),
        BasketLine(2, "B", "1", "0.99", category="TEA"),
    )
    plain = {"occurred_at": AT, "currency": "EUR", "lines": lines, "discount": "1.00"}
    return Basket(**{**plain, **changes})


def made(sent, products=None):
    return purchase_of(sent, products or {}, partner="GROCER", zone=ZoneInfo("Europe/Vienna"))


def test_the_contracts_example_nets_4_63_and_0_84():
    assert [line.net for line in made(basket()).lines] == [463, 84]


def test_the_master_wins_over_what_the_till_says_of_a_product():
    products = {"B": Product(("DRINKS",), "BRAND")}

    known, unknown = made(basket(), products).lines[1], made(basket()).lines[1]

    assert (known.path, known.brand) == (("DRINKS",), "BRAND")
    assert unknown.path == ("TEA",)


def test_a_discount_above_what_the_lines_leave_is_refused():
    with pytest.raises(BasketInvalid) as refusal:
        made(basket(discount="6.48"))

    assert refusal.value.pointer == "/discount"


def test_tenders_must_sum_to_the_lines_less_discounts():
    made(basket(tenders=(("CARD", "5.47"),)))
    with pytest.raises(TendersDiffer):
        made(basket(tenders=(("CARD", "5.46"),)))
