"""Bodies and queries are read strictly, and a refusal names the field."""

import json
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from django.http import QueryDict
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from loyalty.api import bodies
from loyalty.api.bodies import read_body, read_query
from loyalty.api.fields import (
    EXPLAINED,
    Amount,
    Body,
    Code,
    Currency,
    Instant,
    MemberReference,
    Money,
    Name,
    OriginalReference,
    Percent,
    Points,
    Quantity,
    Reason,
    Reference,
    Short,
)
from loyalty.errors import PayloadTooLarge, UnsupportedMediaType, ValidationFailed


class Line(Body, kw_only=True):
    line: Annotated[int, Meta(ge=1, le=1_000_000)]
    amount: Amount = "1"
    quantity: Quantity = "1"


class Everything(Body, kw_only=True):
    reference: Reference = "R"
    lines: Annotated[list[Line], Meta(max_length=3)] = []
    attributes: Annotated[dict[Name, Short], Meta(max_length=2)] = {}
    kind: Literal["HOLD", "FRAUD"] = msgspec.field(name="class", default="HOLD")
    id: UUID | None = None
    at: Instant | None = None
    outlet: Code | None = None
    money: Money | None = None
    percent: Percent | None = None
    points: Points | None = None
    reason: Reason | None = None
    member: MemberReference | None = None
    original: OriginalReference | None = None
    offline: bool = False
    anything: Any = None


def request_of(raw: bytes, content_type: str = "application/json", **headers: str) -> Any:
    return RequestFactory().generic("POST", "/", raw, content_type=content_type, headers=headers)


def read(content: Any) -> Everything:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_body(request_of(raw), Everything)


def refusal_of(content: Any) -> tuple[str, str]:
    with pytest.raises(ValidationFailed) as refused:
        read(content)
    [error] = refused.value.errors
    return error.pointer, error.code


@pytest.mark.parametrize(
    ("content", "pointer", "code"),
    [
        ({"lines": [{}]}, "/lines/0/line", "MISSING_FIELD"),
        ({"lines": [{"line": 1}, {"line": 2, "price": "1"}]}, "/lines/1/price", "UNKNOWN_FIELD"),
        ({"a/b~c": 1}, "/a~1b~0c", "UNKNOWN_FIELD"),
        ({"kind": "HOLD"}, "/kind", "UNKNOWN_FIELD"),
        ({"class": "SOFT"}, "/class", "NOT_A_CHOICE"),
        ({"lines": [{"line": 1, "amount": 5.9}]}, "/lines/0/amount", "NOT_A_DECIMAL"),
        ({"lines": [{"line": 1, "amount": "5,9"}]}, "/lines/0/amount", "NOT_A_DECIMAL"),
        ({"lines": [{"line": 1, "amount": "-5"}]}, "/lines/0/amount", "NOT_A_DECIMAL"),
        ({"lines": [{"line": 1, "amount": "1e3"}]}, "/lines/0/amount", "NOT_A_DECIMAL"),
        ({"lines": [{"line": 1, "amount": "1.00000"}]}, "/lines/0/amount", "NOT_A_DECIMAL"),
        ({"lines": [{"line": 1, "amount": "1\n"}]}, "/lines/0/amount", "NOT_A_DECIMAL"),
        ({"lines": [{"line": 1, "quantity": "٥"}]}, "/lines/0/quantity", "NOT_A_DECIMAL"),
        ({"percent": "100.01"}, "/percent", "NOT_A_DECIMAL"),
        ({"money": {"amount": "1", "currency": "eur"}}, "/money/currency", "NOT_IN_FORM"),
        ({"money": {"amount": "1", "currency": "EUR\n"}}, "/money/currency", "NOT_IN_FORM"),
        ({"lines": [{"line": 0}]}, "/lines/0/line", "OUT_OF_RANGE"),
        ({"lines": [{"line": 10**40}]}, "/lines/0/line", "OUT_OF_RANGE"),
        ({"lines": [{"line": True}]}, "/lines/0/line", "WRONG_TYPE"),
        ({"lines": [{"line": "1"}]}, "/lines/0/line", "WRONG_TYPE"),
        ({"lines": [{"line": 1.5}]}, "/lines/0/line", "WRONG_TYPE"),
        ({"lines": [{"line": n} for n in range(1, 5)]}, "/lines", "TOO_MANY"),
        ({"lines": {}}, "/lines", "WRONG_TYPE"),
        ({"points": 0}, "/points", "OUT_OF_RANGE"),
        ({"points": 10**15 + 1}, "/points", "OUT_OF_RANGE"),
        ({"reference": ""}, "/reference", "TOO_SHORT"),
        ({"reference": "x" * 201}, "/reference", "TOO_LONG"),
        ({"reference": "a\nb"}, "/reference", "NOT_IN_FORM"),
        ({"reference": "a\n"}, "/reference", "NOT_IN_FORM"),
        ({"reference": None}, "/reference", "WRONG_TYPE"),
        ({"outlet": "s330"}, "/outlet", "NOT_IN_FORM"),
        ({"outlet": "S330\n"}, "/outlet", "NOT_IN_FORM"),
        ({"id": "123"}, "/id", "NOT_AN_ID"),
        ({"at": "2026-01-01T00:00:00"}, "/at", "NOT_AN_INSTANT"),
        ({"at": "2026-13-01T00:00:00Z"}, "/at", "NOT_AN_INSTANT"),
        ({"at": 1767225600}, "/at", "WRONG_TYPE"),
        ({"offline": "yes"}, "/offline", "WRONG_TYPE"),
        ({"member": {"number": "١٢"}}, "/member/number", "NOT_IN_FORM"),
        ({"member": {"alias": {"provider": "EMAIL", "value": "a"}}}, "/member/alias/provider", "NOT_IN_FORM"),
        ({"attributes": {"a": 5}}, "/attributes", "WRONG_TYPE"),
        ({"attributes": {"": "x"}}, "/attributes", "TOO_SHORT"),
        ({"attributes": {"a": "1", "b": "2", "c": "3"}}, "/attributes", "TOO_MANY"),
        ({"reason": "a\0b"}, "/reason", "NOT_IN_FORM"),
        ({"anything": [{"deep": ["a\0"]}]}, "/anything/0/deep/0", "NOT_TEXT"),
        ({"anything": {"a\0": 1}}, "/anything", "NOT_TEXT"),
        ([], "", "WRONG_TYPE"),
        ("text", "", "WRONG_TYPE"),
        (None, "", "WRONG_TYPE"),
        (b"", "", "MISSING_BODY"),
        (b"{", "", "NOT_JSON"),
        (b'{"points": NaN}', "", "NOT_JSON"),
        (b'{"points": Infinity}', "", "NOT_JSON"),
        (b'{"reference": "\\ud800"}', "", "NOT_JSON"),
        (b'{"reference": "\\udc00"}', "", "NOT_JSON"),
        (b'{"reference": "a\x00"}', "", "NOT_JSON"),
        (b'{"reference": "\xff"}', "", "NOT_JSON"),
        (b'{"points": 1} {}', "", "NOT_JSON"),
        (b'{"points": ' + b"9" * 5000 + b"}", "/points", "OUT_OF_RANGE"),
        (b'{"anything": ' + b"[" * 100_000 + b"}", "", "TOO_DEEP"),
    ],
)  # fmt: skip
def test_a_wrong_body_is_refused_at_its_field(content, pointer, code):
    assert refusal_of(content) == (pointer, code)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"reference": "☕ 日本 R-1", "attributes": {"größe": "é😀"}},
        {"lines": [{"line": 1, "amount": "9999999999.9999", "quantity": "0"}]},
        {"percent": "100.00"},
        {"at": "2026-01-01T00:00:00.123456-05:00"},
        {"reason": "two\nlines"},
        {"points": 10**15},
    ],
)
def test_a_right_body_is_read(content):
    assert isinstance(read(content), Everything)


def test_the_last_of_two_equal_keys_counts():
    assert read(b'{"points": 1, "points": 2}').points == 2


def test_a_sentence_stands_for_every_pattern_of_the_fields():
    sentences = [words for _, words in EXPLAINED.values()]

    assert all(words[0].isupper() and not words.endswith(".") for words in sentences)
    with pytest.raises(ValidationFailed, match="Give an ISO 4217 code such as EUR"):
        read({"money": {"amount": "1", "currency": "x"}})
    with pytest.raises(ValidationFailed, match="A key is wrong: Control characters"):
        read({"attributes": {"a\n": "x"}})


def test_what_was_sent_is_echoed_in_part_only():
    with pytest.raises(ValidationFailed) as refused:
        read({"x" * 100_000: 1})

    [error] = refused.value.errors
    assert len(error.pointer) == 201
    assert len(error.message) == 201


def test_a_large_body_is_refused_before_it_is_read():
    request = request_of(b" " * (bodies.BODY_BYTES_MAX + 1))

    with pytest.raises(PayloadTooLarge):
        read_body(request, Everything)
    assert len(request.read()) == bodies.BODY_BYTES_MAX + 1


def test_a_body_longer_than_it_says_is_cut_where_it_says():
    request = request_of(b"{} and more")
    request.META["CONTENT_LENGTH"] = "no number"

    with pytest.raises(ValidationFailed):
        read_body(request, Everything)


@pytest.mark.parametrize(
    ("content_type", "headers"),
    [
        ("text/plain", {}),
        ("application/x-www-form-urlencoded", {}),
        ("application/merge-patch+json", {}),
        ("application/json", {"Content-Encoding": "gzip"}),
    ],
)
def test_a_body_that_is_not_plain_json_is_refused(content_type, headers):
    with pytest.raises(UnsupportedMediaType):
        read_body(request_of(b"{}", content_type, **headers), Everything)


@pytest.mark.parametrize("content_type", ["Application/JSON", "application/json; charset=utf-8"])
def test_json_is_json_however_it_is_spelled(content_type):
    assert read_body(request_of(b"{}", content_type), Everything) == Everything()


@given(st.binary(max_size=200))
def test_no_bytes_are_a_fault_of_ours(raw):
    try:
        read(raw)
    except ValidationFailed as refused:
        json.dumps([error.pointer for error in refused.errors]).encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("aé\0\n1.", max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["lines", "line", "amount", "member", "at", "id", "anything"]), inner),
    max_leaves=10,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(Everything.__struct_encode_fields__), JSON))
def test_no_json_is_a_fault_of_ours(content):
    pointers = []
    try:
        read(content)
    except ValidationFailed as refused:
        pointers = [error.pointer for error in refused.errors]
    assert all(pointer == "" or pointer.startswith("/") for pointer in pointers)


class Page(Body, kw_only=True):
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    start: Instant | None = msgspec.field(name="from", default=None)
    by: Literal["occurred", "posted"] = "occurred"
    all: bool = False


def test_a_query_is_read_into_its_types():
    page = read_query(QueryDict("limit=7&from=2026-01-01T00:00:00Z&all=true"), Page)

    assert (page.limit, page.start.year, page.all) == (7, 2026, True)


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("limit=0", "/limit", "OUT_OF_RANGE"),
        ("limit=many", "/limit", "WRONG_TYPE"),
        ("limit=", "/limit", "WRONG_TYPE"),
        ("limit=1&limit=2", "/limit", "REPEATED"),
        ("from=%00", "/from", "REPEATED"),
        ("from=yesterday", "/from", "NOT_AN_INSTANT"),
        ("from=2026-01-01T00:00:00%2B00:00x", "/from", "NOT_AN_INSTANT"),
        ("by=hand", "/by", "NOT_A_CHOICE"),
        ("format=xml", "/format", "UNKNOWN_FIELD"),
        ("%ff=1", "/�", "UNKNOWN_FIELD"),
    ],
)
def test_a_wrong_query_is_refused_at_its_parameter(query, pointer, code):
    with pytest.raises(ValidationFailed) as refused:
        read_query(QueryDict(query), Page)

    [error] = refused.value.errors
    assert (error.pointer, error.code) == (pointer, code)


@pytest.mark.parametrize(
    "named",
    [{}, {"number": "1", "card": "2"}, {"card": "2", "alias": {"provider": "email", "value": "a"}}],
)
def test_a_member_is_named_in_exactly_one_way(named):
    with pytest.raises(ValidationFailed, match="exactly one of number, card and alias"):
        msgspec.convert(named, MemberReference).named()


@pytest.mark.parametrize(
    "named", [{}, {"id": "0198c0de-0000-7000-8000-000000000000", "reference": "R-1"}]
)
def test_an_earlier_transaction_is_named_in_exactly_one_way(named):
    with pytest.raises(ValidationFailed, match="exactly one of id and reference"):
        msgspec.convert(named, OriginalReference).check()


def test_a_currency_is_three_letters():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert("EURO", Currency)
