"""A retry has the digest of the first request; other content has another one."""

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.api.fields import Amount, Body, Instant, MemberReference, Percent, Quantity
from loyalty.digest import digest_of, plain_number


class Line(Body, kw_only=True):
    quantity: Quantity = "1"
    amount: Amount
    discount: Amount | None = None


class Posting(Body, kw_only=True):
    member: MemberReference | None = None
    reference: str = "R-1"
    occurred_at: Instant = datetime(2026, 3, 1, 12, tzinfo=UTC)
    lines: list[Line] = []
    percent: Percent | None = None
    lock_class: str = msgspec.field(name="class", default="HOLD")
    attributes: dict[str, Any] = {}
    step_up: str | None = None
    include: str | None = None


def posting(**content: Any) -> bytes:
    return digest_of("earn", msgspec.json.decode(msgspec.json.encode(content), type=Posting))


def test_the_digest_is_that_of_the_canonical_json():
    content = {"member": {"card": "6275"}, "lines": [{"amount": "5.90", "quantity": "2"}]}
    canonical = (
        b'["earn",{"attributes":{},"class":"HOLD","lines":[{"amount":"5.9","quantity":"2"}],'
        b'"member":{"card":"6275"},"occurred_at":"2026-03-01T12:00:00Z","reference":"R-1"}]'
    )

    assert posting(**content) == hashlib.sha256(canonical).digest()


@given(whole=st.integers(0, 10**10 - 1), cents=st.integers(0, 9999), zeros=st.integers(0, 3))
def test_zeros_that_say_nothing_change_nothing(whole, cents, zeros):
    short = f"{whole}.{cents:04}".rstrip("0").rstrip(".")
    fraction = short.partition(".")[2]
    long = "0" * zeros + (short if fraction else f"{short}.0") + "0" * zeros

    assert plain_number(long) == short
    assert plain_number(short) == short


@given(
    st.tuples(st.integers(0, 10**10 - 1), st.integers(0, 9999)),
    st.tuples(st.integers(0, 10**10 - 1), st.integers(0, 9999)),
)
def test_two_amounts_are_one_only_if_they_are_equal(one, other):
    texts = [f"{whole}.{cents:04}" for whole, cents in (one, other)]
    digests = {posting(lines=[{"amount": text}]) for text in texts}

    assert len(digests) == len({one, other})


@pytest.mark.parametrize(
    ("_case", "one", "other"),
    [
        ("amounts", {"lines": [{"amount": "5.9"}]}, {"lines": [{"amount": "5.90"}]}),
        ("optional", {"lines": [{"amount": "1", "discount": "0"}]}, {"lines": [{"amount": "1", "discount": "0.00"}]}),
        ("percentages", {"percent": "10"}, {"percent": "10.00"}),
        ("defaults", {"lines": [{"amount": "1"}]}, {"lines": [{"amount": "1", "quantity": "1.0"}]}),
        ("null", {"percent": None}, {}),
        ("a proof", {"step_up": "abc"}, {}),
        ("an answer's form", {"include": "explanation"}, {}),
        ("time zones", {"occurred_at": "2026-03-01T12:00:00Z"}, {"occurred_at": "2026-03-01T07:00:00-05:00"}),
        ("an attribute that is null", {"attributes": {"a": None}}, {}),
    ],
)  # fmt: skip
def test_the_same_content_written_otherwise_is_a_retry(_case, one, other):
    assert posting(**one) == posting(**other)


@pytest.mark.parametrize(
    ("_case", "one", "other"),
    [
        ("amounts", {"lines": [{"amount": "5.9"}]}, {"lines": [{"amount": "5.09"}]}),
        ("ten", {"lines": [{"amount": "10"}]}, {"lines": [{"amount": "1"}]}),
        ("order of lines", {"lines": [{"amount": "1"}, {"amount": "2"}]}, {"lines": [{"amount": "2"}, {"amount": "1"}]}),
        ("another name of the member", {"member": {"card": "1"}}, {"member": {"number": "1"}}),
        ("a renamed field", {"class": "HOLD"}, {"class": "FRAUD"}),
        ("instants", {"occurred_at": "2026-03-01T12:00:00Z"}, {"occurred_at": "2026-03-01T12:00:00.000001Z"}),
        ("text that looks like a number", {"attributes": {"amount": "5.9"}}, {"attributes": {"amount": "5.90"}}),
        ("an attribute named like a proof", {"attributes": {"step_up": "a"}}, {"attributes": {"step_up": "b"}}),
    ],
)  # fmt: skip
def test_other_content_is_a_conflict(_case, one, other):
    assert posting(**one) != posting(**other)


def test_another_operation_is_a_conflict():
    assert digest_of("earn", Posting()) != digest_of("redeem", Posting())


@given(st.permutations(["reference", "occurred_at", "percent", "attributes"]))
def test_the_order_of_fields_says_nothing(names):
    content = {
        "reference": "R-1",
        "occurred_at": "2026-03-01T12:00:00Z",
        "percent": "5",
        "attributes": {"b": "2", "a": "1"},
    }

    assert posting(**{name: content[name] for name in names}) == posting(**content)


@given(st.integers(0, 3_000_000_000), st.integers(-14 * 60, 14 * 60))
def test_an_instant_is_one_in_every_time_zone(seconds, minutes):
    instant = datetime(2000, 1, 2, tzinfo=UTC) + timedelta(seconds=seconds)
    elsewhere = instant.astimezone(timezone(timedelta(minutes=minutes)))

    assert digest_of("earn", Posting(occurred_at=instant)) == digest_of(
        "earn", Posting(occurred_at=elsewhere)
    )


@pytest.mark.parametrize("value", ["n/a", "1e999999999", "NaN", "", "٥", "-0", "x" * 200])
def test_attributes_may_say_anything_under_the_name_of_a_number(value):
    assert len(posting(attributes={"amount": value, "quantity": value})) == 32


def test_the_first_hours_of_the_calendar_are_no_fault_of_ours():
    instant = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=23)))

    assert len(digest_of("earn", Posting(occurred_at=instant))) == 32


def test_a_container_of_numbers_is_taken_as_it_is():
    class Rates(Body, kw_only=True):
        by_name: dict[str, Amount] = {}
        marked: Annotated[Amount | None, msgspec.Meta(description="…")] = None

    assert digest_of("rates", Rates(by_name={"a": "5.9"})) != digest_of("rates", Rates())
    assert digest_of("rates", Rates(marked="5.9")) == digest_of("rates", Rates(marked="5.90"))
