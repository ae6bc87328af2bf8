"""Conditions in CEL: what is refused when saved, and that nothing but true is met."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from loyalty.expressions import (
    BadExpression,
    Kind,
    Names,
    Record,
    Verdict,
    compile,  # noqa: A004
    may_be_asked,
    pack,
)

LINE = Record(
    (
        ("sku", Kind.TEXT),
        ("amount", Kind.NUMBER),
        ("category", Kind.TEXTS),
        ("attributes", Record((("organic", Kind.BOOLEAN), ("grams", Kind.INTEGER)))),
    ),
    many=True,
)
NAMES = Names.of(
    {
        "basket.amount": Kind.NUMBER,
        "member.tier": Kind.TEXT,
        "member.segments": Kind.TEXTS,
        "member.orders": Kind.INTEGER,
        "member.joined_at": Kind.INSTANT,
        "member.staff": Kind.BOOLEAN,
    },
    {"lines": LINE, "event": Record((("rating", Kind.INTEGER), ("at", Kind.INSTANT)))},
)
FACTS = {
    "basket.amount": 12.5,
    "member.tier": "GOLD",
    "member.segments": ["A", "B"],
    "member.orders": 3,
    "member.joined_at": datetime(2017, 3, 1, tzinfo=UTC),
    "member.staff": False,
    "lines": [
        {"sku": "1", "amount": 2.5, "category": ["FOOD", "TEA"], "attributes": {"organic": True}},
        {"sku": None, "amount": 10.0, "attributes": {"grams": "many"}},
    ],
    "event": {"rating": 5, "at": datetime(2017, 3, 2, tzinfo=UTC)},
}


@pytest.mark.parametrize(
    "text",
    [
        "basket.amount >= 10.0 && member.tier != 'BASE'",
        "'A' in member.segments && !('C' in member.segments)",
        "member.orders * 2 == 6",
        "member.joined_at < timestamp('2017-03-02T00:00:00Z') && !member.staff",
        "lines.exists(l, l.sku == '1' && 'TEA' in l.category && l.attributes.organic)",
        "lines.exists(l, !has(l.sku))",
        "lines.all(l, !has(l.attributes.grams))",
        "event.rating > 4 && event.at > timestamp('2017-03-01T00:00:00Z')",
        "size(lines) == 2",
        "basket.amount > -1.0",
    ],
)
def test_a_condition_that_the_facts_meet_is_met(text):
    assert compile(text, NAMES).evaluate(FACTS) == Verdict(met=True)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("basket.amount > 12.5", None),
        ("1 / (member.orders - 3) == 1", "divide by zero"),
        ("lines[7].sku == '1'", "Index error: index=7 size=2"),
        (
            "lines.all(a, lines.all(b, lines.all(c, lines.all(d, lines.all(e, lines.all(f,"
            " lines.all(g, lines.all(h, lines.all(i, lines.all(j, lines.all(k, lines.all(l,"
            " lines.all(m, lines.all(n, lines.all(o, true)))))))))))))))",
            "Iteration budget exceeded",
        ),
    ],
)
def test_what_is_false_or_fails_is_not_met_and_the_failure_is_told(text, error):
    assert compile(text, NAMES).evaluate(FACTS) == Verdict(met=False, error=error)


def test_what_depends_on_an_unknown_fact_is_not_met():
    condition = compile("member.tier == 'GOLD' || member.orders > 1", NAMES)
    assert condition.evaluate({"member.tier": "GOLD"}).met
    unknown = condition.evaluate({"member.tier": "BASE", "member.orders": None})
    assert unknown == Verdict(
        met=False, error='No value with name "member.orders" found in Activation'
    )


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        (
            "basket.amount >= 10",
            14,
            "found no matching overload for '_>=_' applied to '(double, int)'",
        ),
        ("member.tier == 'x' &&\n nix > 2", 23, "undeclared reference to 'nix'"),
        ("'äöü' == member.tier && nix", 24, "undeclared reference to 'nix'"),
        ("lines.exists(l, l.colour == 'x')", 17, "undefined field 'colour' not found in struct"),
        ("basket.amount >", 15, "Syntax error"),
        ("", 0, "Syntax error"),
        ("member.orders", 0, "a condition is true or false, this is int"),
        ("basket.amount * 2.0 > 3.0", 14, "amounts may be compared, not calculated with"),
        ("lines.exists(l, l.amount - 1.0 == 0.5)", 25, "amounts may be compared"),
        ("int(basket.amount) > 3", 3, "amounts may be compared"),
        ("(" * 21 + "true" + ")" * 21, 20, "brackets nest up to 20 deep"),
        ("true" + " || true" * 300, 2000, "an expression has up to 2000 characters"),
        ("member == 3", 0, "undeclared reference to 'member'"),
    ],
)
def test_a_bad_expression_is_refused_at_its_character(text, position, message):
    with pytest.raises(BadExpression) as refused:
        compile(text, NAMES)
    assert refused.value.position == position
    assert refused.value.message.startswith(message)


def test_a_condition_says_which_names_it_asks_for():
    condition = compile(
        "lines.exists(member, member.sku == 'member.tier') || member.orders > 1", NAMES
    )
    assert condition.asks == {"lines", "member.orders"}


def test_what_was_packed_once_serves_many_conditions():
    facts = {"lines": pack(NAMES, "lines", FACTS["lines"])}
    for text in ("size(lines) == 2", "lines[0].sku == '1'"):
        assert compile(text, NAMES).evaluate(facts).met


@pytest.mark.parametrize("name", ["shoe size", "größe", "in", "member.null", "1st", ""])
def test_a_name_that_cannot_be_written_is_known_as_such(name):
    assert not may_be_asked(name)
    assert may_be_asked("member.attributes.shoe_size")


def test_threads_may_share_a_condition():
    condition = compile("lines.exists(l, l.amount > 2.0) && basket.amount > 3.0", NAMES)
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(
                lambda n: condition.evaluate(FACTS | {"basket.amount": float(n)}).met, range(400)
            )
        )
    assert found == [n > 3 for n in range(400)]
