"""Attributes hold what their schema says, and each fault is told where it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.attributes import check_schema, complete, validate

SCHEMA = {
    "brand": {"type": "TEXT", "required": True, "max_length": 5},
    "pieces": {"type": "INTEGER", "minimum": 1, "maximum": 12},
    "weight": {"type": "DECIMAL", "minimum": "0.5"},
    "organic": {"type": "BOOLEAN", "default": False},
    "launched": {"type": "DATE"},
    "color": {"type": "CHOICE", "choices": ["RED", "BLUE"]},
    "allergens": {"type": "LIST", "of": {"type": "TEXT"}},
}


def faults(errors):
    return [(each.pointer, each.code) for each in errors]


def test_a_good_schema_and_good_values_have_no_faults():
    values = {
        "brand": "Oats",
        "pieces": 12,
        "weight": "0.500",
        "organic": True,
        "launched": "2026-02-28",
        "color": "BLUE",
        "allergens": ["GLUTEN"],
    }

    assert check_schema(SCHEMA) == []
    assert validate(SCHEMA, values) == []
    assert complete(SCHEMA, values) == values


def test_what_is_missing_is_null_or_given_by_default():
    assert validate(SCHEMA, {"brand": "Oats", "pieces": None}) == []
    assert complete(SCHEMA, {"brand": "Oats", "pieces": None}) == {
        "brand": "Oats",
        "organic": False,
    }


@pytest.mark.parametrize(
    ("name", "value", "pointer", "code"),
    [
        ("brand", "Oatmeal", "/attributes/brand", "TOO_LONG"),
        ("brand", 7, "/attributes/brand", "WRONG_TYPE"),
        ("brand", "a\0b", "/attributes/brand", "WRONG_TYPE"),
        ("brand", None, "/attributes/brand", "MISSING_FIELD"),
        ("pieces", 0, "/attributes/pieces", "OUT_OF_RANGE"),
        ("pieces", 13, "/attributes/pieces", "OUT_OF_RANGE"),
        ("pieces", True, "/attributes/pieces", "WRONG_TYPE"),
        ("pieces", 1.5, "/attributes/pieces", "WRONG_TYPE"),
        ("pieces", 2**60, "/attributes/pieces", "OUT_OF_RANGE"),
        ("weight", 0.5, "/attributes/weight", "NOT_A_DECIMAL"),
        ("weight", "0.4", "/attributes/weight", "OUT_OF_RANGE"),
        ("weight", "1e9", "/attributes/weight", "NOT_A_DECIMAL"),
        ("weight", "NaN", "/attributes/weight", "NOT_A_DECIMAL"),
        ("weight", "٥", "/attributes/weight", "NOT_A_DECIMAL"),
        ("organic", "yes", "/attributes/organic", "WRONG_TYPE"),
        ("launched", "2026-02-29", "/attributes/launched", "NOT_A_DATE"),
        ("launched", "20260228", "/attributes/launched", "NOT_A_DATE"),
        ("color", "GREEN", "/attributes/color", "NOT_A_CHOICE"),
        ("color", ["RED"], "/attributes/color", "NOT_A_CHOICE"),
        ("allergens", "GLUTEN", "/attributes/allergens", "WRONG_TYPE"),
        ("allergens", ["NUTS", 1], "/attributes/allergens/1", "WRONG_TYPE"),
        ("allergens", ["x"] * 201, "/attributes/allergens", "TOO_MANY"),
        ("a/b", 1, "/attributes/a~1b", "UNKNOWN_FIELD"),
    ],
)
def test_a_wrong_value_is_told_where_it_is(name, value, pointer, code):
    assert faults(validate(SCHEMA, {"brand": "Oats", name: value})) == [(pointer, code)]


def test_all_faults_are_told_at_once():
    assert len(validate(SCHEMA, {"pieces": 0, "color": "", "more": 1})) == 4


@pytest.mark.parametrize("values", [None, [], "text", 1])
def test_values_are_an_object(values):
    assert faults(validate(SCHEMA, values)) == [("/attributes", "WRONG_TYPE")]


@pytest.mark.parametrize(
    ("definition", "pointer", "code"),
    [
        (None, "", "WRONG_TYPE"),
        ({}, "/type", "NOT_A_CHOICE"),
        ({"type": ["TEXT"]}, "/type", "NOT_A_CHOICE"),
        ({"type": "TEXT", "choices": ["A"]}, "/choices", "UNKNOWN_FIELD"),
        ({"type": "TEXT", "required": 1}, "/required", "WRONG_TYPE"),
        ({"type": "TEXT", "label": 1}, "/label", "TOO_LONG"),
        ({"type": "TEXT", "max_length": 0}, "/max_length", "OUT_OF_RANGE"),
        ({"type": "TEXT", "max_length": 2, "default": "abc"}, "/default", "TOO_LONG"),
        ({"type": "INTEGER", "minimum": "1"}, "/minimum", "WRONG_TYPE"),
        ({"type": "INTEGER", "minimum": 2, "maximum": 1}, "/maximum", "OUT_OF_RANGE"),
        ({"type": "DECIMAL", "minimum": 1}, "/minimum", "NOT_A_DECIMAL"),
        ({"type": "DECIMAL", "minimum": "1", "default": "0"}, "/default", "OUT_OF_RANGE"),
        ({"type": "CHOICE"}, "/choices", "WRONG_TYPE"),
        ({"type": "CHOICE", "choices": []}, "/choices", "WRONG_TYPE"),
        ({"type": "CHOICE", "choices": ["A", "A"]}, "/choices/1", "REPEATED"),
        ({"type": "CHOICE", "choices": ["A", 1]}, "/choices/1", "WRONG_TYPE"),
        ({"type": "LIST"}, "/of", "WRONG_TYPE"),
        ({"type": "LIST", "of": {"type": "LIST"}}, "/of/type", "NOT_A_CHOICE"),
        ({"type": "LIST", "of": {"type": "CHOICE"}}, "/of/choices", "WRONG_TYPE"),
        ({"type": "LIST", "of": {"type": "TEXT", "required": True}}, "/of/required", "UNKNOWN_FIELD"),
    ],
)  # fmt: skip
def test_a_wrong_schema_is_told_where_it_is(definition, pointer, code):
    assert faults(check_schema({"it": definition})) == [(f"/schema/it{pointer}", code)]


@pytest.mark.parametrize("name", ["", "Brand", "1st", "a b", "ä", "x" * 65])
def test_a_name_is_plain(name):
    assert [e.code for e in check_schema({name: {"type": "TEXT"}})] == ["NOT_IN_FORM"]


def test_a_schema_is_an_object_of_bounded_size():
    assert faults(check_schema([])) == [("/schema", "WRONG_TYPE")]
    many = {f"a{n}": {"type": "TEXT"} for n in range(101)}
    assert faults(check_schema(many)) == [("/schema", "TOO_MANY")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
    | st.sampled_from(["TEXT", "INTEGER", "DECIMAL", "BOOLEAN", "DATE", "CHOICE", "LIST"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["type", "of", "choices", "minimum", "maximum", "default", "a"]),
        inner,
        max_size=4,
    ),
    max_leaves=10,
)  # fmt: skip


@given(schema=st.dictionaries(st.sampled_from(["a", "b"]), JSON, max_size=2), values=JSON)
def test_whatever_is_given_has_faults_or_none(schema, values):
    """No rubbish is a fault of ours, and a schema without faults judges any values."""
    if not check_schema(schema) and not validate(schema, values):
        assert validate(schema, complete(schema, values)) == []
