"""The engine: by table, against a naive oracle, and what must hold for every basket."""

from datetime import UTC, datetime, timedelta

import pytest

from promotions.engine.checks import Invalid
from promotions.engine.evaluate import evaluate
from promotions.engine.facts import Schemas
from promotions.engine.snapshot import Snapshot
from promotions.engine.types import PIECE, Line, MemberFacts
from tests.promotions.engine.calls import (
    AT,
    DAILY,
    MEMBER,
    PER_EURO,
    SIX_AT_MOST,
    TEN,
    TWICE,
    occasion,
    points,
    purchase,
    version,
)


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


@pytest.mark.parametrize(
    ("what", "content", "expected"),
    [
        (occasion("ENROLMENT"), {"trigger": "ENROLMENT"}, {("P01", None): 10}),
        (occasion("ENROLMENT"), {"trigger": "BIRTHDAY"}, {}),
        (occasion("ENROLMENT"), {}, {}),
        (purchase(500), {"trigger": "ENROLMENT"}, {}),
        (occasion("EVENT", "SURVEY"), {"trigger": "EVENT", "event": "SURVEY"}, {("P01", None): 10}),
        (occasion("EVENT", "REVIEW"), {"trigger": "EVENT", "event": "SURVEY"}, {}),
        (occasion("TIER_CHANGE", after="GOLD"), {"trigger": "TIER_CHANGE", "condition": "event.after == 'GOLD'"}, {("P01", None): 10}),
        (occasion("EVENT", "SURVEY", score=9, paid="2.50"), {"trigger": "EVENT", "event": "SURVEY", "condition": "event.score > 8 && event.paid == 2.5"}, {("P01", None): 10}),
        (occasion("EVENT", "SURVEY", score=7), {"trigger": "EVENT", "event": "SURVEY", "condition": "event.score > 8"}, {}),
        (occasion("EVENT", "SURVEY"), {"trigger": "EVENT", "event": "SURVEY", "audience": {"tiers": ["GOLD"]}}, {}),
    ],
)  # fmt: skip
def test_an_occasion_fires_the_promotions_of_its_trigger(what, content, expected):
    assert points(what, version(**TEN, **content)) == expected


def test_vouchers_and_tickets_are_awarded_beside_points():
    coffee = {"kind": "VOUCHER", "voucher_type": "COFFEE", "quantity": 2}
    ticket = {"kind": "TICKET", "sweepstake": "CAR", "quantity": 1}

    found = evaluate(
        purchase(500),
        MEMBER,
        Snapshot([version(1), version(2, award=coffee), version(3, award=ticket)]),
    )

    assert [(r.kind, r.code, r.quantity) for r in found.rewards] == [
        ("VOUCHER", "COFFEE", 2),
        ("TICKET", "CAR", 1),
    ]
    assert [award.points for award in found.awards] == [5]


@pytest.mark.parametrize(
    ("segments", "audience", "applies"),
    [
        (("A",), {"segments": ["A", "B"]}, True),
        (("C",), {"segments": ["A", "B"]}, False),
        ((), {"not_segments": ["A"]}, True),
        (("A", "C"), {"segments": ["C"], "not_segments": ["A"]}, False),
    ],
)
def test_segments_decide(segments, audience, applies):
    member = MemberFacts("BASE", "ACTIVE", segments=segments)

    assert bool(points(purchase(500), version(audience=audience), member=member)) is applies


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("basket.amount >= 5.0", None),
        ("basket.amount > 5.0", ("CONDITION", None)),
        ("lines.exists(l, 'CAT1' in l.category && l.amount == 5.0)", None),
        ("member.birth_month == 3 && member.age == 26 && member.joined_days == 6", None),
        ("member.attributes.pets > 1 && member.language == 'de'", None),
        ("basket.attributes.delivery == 'HOME'", None),
        ("basket.weekday == 'SAT' && basket.partner == 'GROCER'", None),
        ("basket.outlet == 'S1'", ("CONDITION", 'No value with name "basket.outlet" found in Activation')),
    ],
)  # fmt: skip
def test_an_expression_decides_and_its_error_is_the_near_miss(condition, reason):
    member = MemberFacts(
        "BASE", "ACTIVE", language="de", born="2000-03-01", attributes={"pets": 2},
        joined_at=datetime(2026, 3, 1, 8, tzinfo=UTC),
    )  # fmt: skip
    bought = purchase(500, attributes={"delivery": "HOME"})
    schemas = Schemas(member={"pets": {"type": "INTEGER"}})

    found = evaluate(bought, member, Snapshot([version(condition=condition, schemas=schemas)]))

    assert bool(found.awards) is (reason is None)
    assert [(m.reason, m.missing) for m in found.near_misses] == ([reason] if reason else [])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({}, True),
        ({"condition": "member.tier == ''"}, True),
        ({"condition": "member.age > 3"}, False),
        ({"audience": {"guests": True, "segments": ["A"]}}, False),
        ({"limits": [{"per": "MEMBER", "period": "DAY", "measure": "USES", "at_most": 1}]}, False),
    ],
)
def test_a_guest_is_told_of_nothing_that_asks_for_a_member(content, told):
    offered = version(**{"audience": {"guests": True}, **content})

    assert bool(points(purchase(500), offered, member=None)) is told


@pytest.mark.parametrize(
    ("limit", "left", "expected", "used"),
    [
        ({"measure": "USES", "at_most": 3}, 1, 9, 1),
        ({"measure": "USES", "at_most": 3}, 0, 0, None),
        ({"measure": "POINTS", "at_most": 50}, 6, 6, 6),
        ({"measure": "POINTS", "at_most": 50, "then": "SKIP"}, 6, 0, None),
        ({"measure": "POINTS", "at_most": 50, "then": "SKIP"}, 9, 9, 9),
        ({"measure": "AMOUNT", "at_most": "50.00"}, 300, 3, 300),
        ({"measure": "AMOUNT", "at_most": "50.00"}, 1000, 9, 900),
    ],
)
def test_what_is_left_of_a_members_limit_bounds_an_award(limit, left, expected, used):
    limited = version(limits=[{**DAILY, **limit}])

    found = evaluate(purchase(500, 400), MEMBER, Snapshot([limited]), ceilings={1: (left,)})

    assert sum(award.points for award in found.awards) == expected
    assert [use.amount for use in found.uses] == ([used] if used else [])
    assert [m.reason for m in found.near_misses] == ([] if expected else ["LIMIT_REACHED"])


def test_a_budget_of_money_counts_what_the_points_are_worth_rounded_up():
    budgeted = version(budget={"measure": "MONEY", "at_most": "10.00"})
    bought = purchase(700, worth={"PTS": "0.5"})

    free = evaluate(bought, MEMBER, Snapshot([budgeted]))
    bound = evaluate(bought, MEMBER, Snapshot([budgeted]), ceilings={1: (2,)})

    assert [(use.per, use.amount) for use in free.uses] == [("BUDGET", 4)]
    assert [award.points for award in bound.awards] == [4]


def test_every_reason_is_told_once_and_the_nearest_first():
    versions = [
        version(1, minimum={"amount": "50.00"}),
        version(2, minimum={"quantity": "3"}),
        version(3, award={**PER_EURO, "per": "7.00", "scope": "BASKET"}),
        version(4, condition="basket.amount > 9.0"),
        version(5, weekdays=["MON"], lines={"include": {"brand": ["OWN"]}}),
        version(6, hours={"from": "01:00:00", "to": "02:00:00"}),
        version(7, audience={"outlets": ["S9"]}, lines={"include": {"brand": ["OWN"]}}),
        version(8, audience={"tiers": ["GOLD"]}, lines={"include": {"brand": ["OWN"]}}),
        version(9, award=TWICE),
        version(10, combination={"priority": 9, "group": "G"}),
        version(11, combination={"group": "G"}),
        version(
            12, limits=[{"per": "TRANSACTION", "measure": "POINTS", "at_most": 1, "then": "SKIP"}]
        ),
    ]

    found = evaluate(purchase(500), MEMBER, Snapshot(versions))

    assert [(m.reason, m.promotion, m.missing) for m in found.near_misses] == [
        ("MINIMUM_AMOUNT", "P01", "45.00"),
        ("MINIMUM_QUANTITY", "P02", "2"),
        ("STEP", "P03", "2.00"),
        ("CONDITION", "P04", None),
        ("WEEKDAYS", "P05", "MON"),
        ("HOURS", "P06", "01:00–02:00"),
        ("OUTLETS", "P07", "S9"),
        ("TIERS", "P08", "GOLD"),
        ("LIMIT_REACHED", "P12", None),
        ("NOTHING_TO_MULTIPLY", "P09", None),
        ("GAVE_WAY", "P11", None),
    ]


def test_at_most_twenty_near_misses_are_told():
    versions = [version(number, minimum={"amount": "50.00"}) for number in range(1, 40)]

    assert len(evaluate(purchase(500), MEMBER, Snapshot(versions)).near_misses) == 20


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
    budgeted = version(budget={"measure": "POINTS", "at_most": 100})

    found = evaluate(purchase(500, 400), MEMBER, Snapshot([budgeted]), ceilings={1: (3,)})

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
        ({"limits": [{**SIX_AT_MOST["limits"][0], "period": "DAY"}]}, "/limits/0/period"),
        ({"limits": [{"per": "MEMBER", "measure": "USES", "at_most": 1}]}, "/limits/0/period"),
        ({"limits": [{"per": "TRANSACTION", "measure": "USES", "at_most": 1}]}, "/limits/0/measure"),
        ({"limits": [{**DAILY, "measure": "USES", "at_most": 1}] * 2}, "/limits/1"),
        ({"award": {"kind": "TICKET", "sweepstake": "CAR", "quantity": 1}, "budget": {"measure": "POINTS", "at_most": 9}}, "/budget/measure"),
        ({"award": {"kind": "TICKET", "sweepstake": "CAR", "quantity": 1}, "pending": "P1D"}, "/pending"),
        ({"award": {"kind": "TICKET", "sweepstake": "CAR", "quantity": 1, "type": "PTS"}}, "/award/type"),
        ({"award": {"kind": "VOUCHER", "voucher_type": "TEA"}}, "/award/quantity"),
        ({"trigger": "EVENT", **TEN}, "/event"),
        ({"event": "SURVEY"}, "/event"),
        ({"trigger": "ENROLMENT"}, "/award/kind"),
        ({"trigger": "ENROLMENT", **TEN, "lines": {"include": {"sku": ["1"]}}}, "/lines"),
        ({"trigger": "ENROLMENT", **TEN, "minimum": {"amount": "1"}}, "/minimum"),
        ({"trigger": "ENROLMENT", **TEN, "audience": {"guests": True}}, "/audience/guests"),
        ({"audience": {"segments": ["A"], "not_segments": ["A"]}}, "/audience/not_segments"),
        ({"limits": [{**SIX_AT_MOST["limits"][0], "measure": "AMOUNT", "at_most": "0"}]}, "/limits/0/at_most"),
    ],
)  # fmt: skip
def test_a_definition_that_contradicts_itself_is_refused(content, pointer):
    with pytest.raises(Invalid) as refusal:
        version(**content)

    assert refusal.value.pointer == pointer
