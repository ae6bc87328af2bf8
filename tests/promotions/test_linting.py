"""The linter: what a careful reader would ask about a promotion, each with its code."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from loyalty.models import Master, MasterEntity, Program
from promotions.engine import lint as engine
from promotions.services.writing.authoring import read_definition
from promotions.services.writing.linting import lint
from tests.factories.ledger import PointType
from tests.factories.members import MemberFactory
from tests.factories.promotions import promotion
from tests.factories.segments import SegmentFactory

BASE = {"award": {"kind": "PER_AMOUNT", "type": "PTS", "points": 1, "per": "1.00"}}
FIXED = {"kind": "FIXED", "type": "PTS", "points": 50}
TWICE = {"kind": "MULTIPLIER", "type": "PTS", "factor": "2"}
# Nothing is left open: an end, a cap, a test that passes.
TEST = {
    "name": "two coffees",
    "basket": {"occurred_at": "2026-01-05T12:00:00Z", "lines": [{"amount": "1.00"}]},
    "points": [],
}
SOUND = {
    "name": "Sound",
    "award": FIXED,
    "condition": "basket.amount > 1000000.0",
    "active_to": "2099-01-01T00:00:00Z",
    "limits": [{"per": "MEMBER", "period": "DAY", "measure": "USES", "at_most": 1}],
    "tests": [TEST],
    "minimum": {"amount": "100.00"},
}


def codes(code="NEW", **changes):
    content = {**SOUND, **changes}
    content = {key: value for key, value in content.items() if value is not None}
    return [text.partition(":")[0] for text in warnings(code, content)]


def warnings(code, content):
    return lint(code, read_definition(content), at=timezone.now())


@pytest.fixture
def products(program):
    category = MasterEntity.objects.get(code="category")
    product = MasterEntity.objects.get(code="product")
    Master.objects.create(entity=category, code="DRINKS", name="Drinks")
    Master.objects.create(entity=category, code="COFFEE", name="Coffee", path=["DRINKS"])
    Master.objects.create(entity=category, code="BREAD", name="Bread")
    Master.objects.create(
        entity=product,
        code="BEANS",
        name="Beans",
        path=["DRINKS", "COFFEE"],
        attributes={"brand": "Own"},
    )


def test_a_sound_promotion_has_no_warnings(program):
    assert codes() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"active_to": "2026-01-01T00:00:00Z"}, "OVER"),
        ({"hours": {"from": "10:00:00", "to": "10:00:00"}}, "NO_HOURS"),
        ({"lines": {"include": {"sku": ["A"]}, "exclude": {"sku": ["A", "B"]}}}, "NO_LINES_LEFT"),
        ({"active_to": None}, "NO_END"),
        ({"tests": []}, "NO_TESTS"),
        ({"tests": [{**TEST, "points": [{"type": "PTS", "points": 9}]}]}, "TESTS_FAIL"),
        ({"limits": []}, "NO_CAP"),
        ({"audience": {"guests": True}}, "NO_GUESTS"),
        ({"audience": {"partners": ["NOBODY"]}}, "UNKNOWN_PARTNER"),
        ({"audience": {"outlets": ["NOWHERE"]}}, "UNKNOWN_OUTLET"),
        ({"audience": {"stages": ["CLOSED"]}}, "STAGE_EARNS_NOTHING"),
        ({"audience": {"stages": ["SLEEPY"]}}, "STAGE_EARNS_NOTHING"),
        ({"condition": "basket.amount < 50.0"}, "MINIMUM_UNREACHABLE"),
        ({"budget": {"measure": "POINTS", "at_most": 49, "then": "SKIP"}}, "LIMIT_BELOW_AWARD"),
        (
            {
                "limits": [
                    {"per": "TRANSACTION", "measure": "AMOUNT", "at_most": "99.00", "then": "SKIP"}
                ]
            },
            "MINIMUM_ABOVE_LIMIT",
        ),
        (
            {"pending": "P14D", "expiry": {"after": "P7D", "from": "EARNED"}},
            "EXPIRES_WHILE_PENDING",
        ),
        ({"award": TWICE}, "NOTHING_TO_MULTIPLY"),
        ({"award": TWICE, "combination": {"stackable": False}}, "NEVER_AWARDS"),
    ],
)
def test_what_may_not_be_meant_is_asked(changes, code, program):
    assert code in codes(**changes)


def test_a_band_below_the_minimum_never_counts(program):
    bands = [{"from": "10.00", "points": 5}, {"from": "50.00", "points": 9}]

    found = codes(award={"kind": "BANDED", "type": "PTS", "bands": bands})

    assert found == ["BAND_UNREACHABLE"]


def test_an_empty_segment_is_named_until_somebody_is_in_it(program):
    SegmentFactory(code="VIP")
    assert codes(audience={"segments": ["VIP"]}) == ["SEGMENT_EMPTY"]

    SegmentFactory(code="FULL", members=[MemberFactory()])
    assert codes(audience={"segments": ["FULL"]}) == []


def test_a_condition_on_a_tier_that_the_audience_leaves_out(program):
    audience = {"tiers": ["BASE"]}

    assert codes(audience=audience, condition="member.tier == 'GOLD'") == ["TIER_CONTRADICTED"]
    assert codes(audience=audience, condition="member.tier == 'BASE' && false") == []


def test_products_that_the_master_data_do_not_know(products):
    include = {
        "sku": ["BEANS", "GONE"],
        "category": ["COFFEE", "TEA"],
        "brand": ["Own", "Other"],
        "colour": ["red"],
    }

    assert codes(lines={"include": include}) == [
        "UNKNOWN_PRODUCT",
        "UNKNOWN_CATEGORY",
        "UNKNOWN_BRAND",
        "UNKNOWN_ATTRIBUTE",
    ]


def test_without_products_in_the_master_data_the_till_says_what_a_line_is(program):
    assert codes(lines={"include": {"category": ["TEA"]}}) == []


@pytest.mark.parametrize(
    ("mine", "theirs", "meet"),
    [
        ({"lines": {"include": {"category": ["COFFEE"]}}}, {}, True),
        (
            {"lines": {"include": {"category": ["COFFEE"]}}},
            {"lines": {"include": {"category": ["DRINKS"]}}},
            True,
        ),
        (
            {"lines": {"include": {"sku": ["BEANS"]}}},
            {"lines": {"include": {"category": ["DRINKS"]}}},
            True,
        ),
        (
            {"lines": {"include": {"category": ["BREAD"]}}},
            {"lines": {"include": {"category": ["DRINKS"]}}},
            False,
        ),
        ({"weekdays": ["MON"]}, {"weekdays": ["TUE"]}, False),
        ({"coupons": ["SPRING"]}, {}, False),
        ({}, {"active_to": "2026-01-01T00:00:00Z"}, False),
        ({"active_to": "2030-01-01T00:00:00Z"}, {"active_from": "2031-01-01T00:00:00Z"}, False),
        ({"combination": {"group": "G"}}, {"combination": {"group": "G"}}, False),
        ({}, {"combination": {"base": True}}, False),
        ({}, {"trigger": "ENROLMENT"}, False),
    ],
)
def test_promotions_for_the_same_people_time_and_lines_overlap(mine, theirs, meet, products):
    promotion("OTHER", **{"award": FIXED, **theirs})

    assert ("OVERLAP" in codes(**mine)) is meet


def test_a_shared_coupon_is_named(program):
    promotion("OTHER", coupons=["SPRING"], award=FIXED)

    assert codes(coupons=["SPRING", "MAY"]) == ["OVERLAP", "COUPON_SHARED"]


def test_what_always_gives_way_is_named(program):
    promotion("OTHER", award=FIXED, combination={"group": "G", "priority": 5})

    assert codes(combination={"group": "G"}) == ["GIVES_WAY"]
    assert codes(combination={"group": "G", "priority": 9}) == []


def test_what_pushes_out_the_base_is_named(program):
    promotion("BASE", **BASE, combination={"base": True})

    assert codes(combination={"stackable": False, "priority": 9}) == ["PUSHES_OUT"]


def test_lines_of_a_base_for_the_whole_basket_cannot_be_multiplied(program):
    award = {**BASE["award"], "scope": "BASKET"}
    promotion("BASE", award=award, combination={"base": True})

    assert codes(award=TWICE) == []
    assert codes(award=TWICE, lines={"include": {"sku": ["A"]}}) == ["NOTHING_TO_MULTIPLY"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"award": {**BASE["award"], "points": 21}}, "EARNS_TOO_MUCH"),
        ({"award": {**BASE["award"], "points": 20}}, None),
        ({"award": {**FIXED, "points": 2001}}, "EARNS_TOO_MUCH"),
        ({"award": {**FIXED, "points": 100}, "minimum": {}}, "NO_MINIMUM"),
        ({"award": {**FIXED, "points": 99}, "minimum": {}}, None),
    ],
)
def test_points_above_a_share_of_the_price_are_asked_about(changes, code, program):
    kind = PointType.objects.get(code="PTS")
    kind.values.all().delete()
    kind.values.create(currency="EUR", value="0.01", valid_from=timezone.now() - timedelta(days=9))
    Program.objects.update(earn_share_warning="20.00", epoch=99)

    assert codes(**changes) == ([code] if code else [])
    Program.objects.update(earn_share_warning=None)
    assert "EARNS_TOO_MUCH" not in codes(**changes)


def test_warnings_come_with_the_answer_and_write_nothing(house, program):
    promotion("OTHER", award=FIXED)

    answer = house.put("/promotions/NEW/", {**SOUND, "status": "DRAFT"})

    assert answer.json()["warnings"] == [
        "OVERLAP: the same people, time and lines earn by OTHER, too."
    ]


def test_every_code_has_its_paragraph():
    text = Path("docs/promotions.md").read_text().partition("## Warnings")[2]

    assert tuple(re.findall(r"^\| `([A-Z_]+)` \|", text, re.M)) == engine.CODES
