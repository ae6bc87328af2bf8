"""Patterns of the staff are matched in linear time."""

import time

import pytest
from django.core.exceptions import ValidationError

from loyalty.models import IdentityProvider
from loyalty.patterns import check_pattern, matches


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("", "anything", True),
        ("[0-9]{4}", "1234", True),
        ("[0-9]{4}", "12345", False),
        ("[0-9]{4}", "1234\n", False),
        ("a|b", "b", True),
        ("(?i)ab", "AB", True),
        ("ä+", "ää", True),
    ],
)
def test_all_of_a_text_has_to_match(pattern, text, fits):
    assert matches(pattern, text) is fits


@pytest.mark.parametrize("pattern", ["(", r"(a)\1", "(?=a)b", "a{2000}", "((a{100}){100}){100}"])
def test_what_cannot_be_matched_safely_is_refused(pattern):
    with pytest.raises(ValidationError, match="no pattern"):
        check_pattern(pattern)


def test_the_back_office_refuses_it_too():
    provider = IdentityProvider(code="app", name="App", kind="APP", pattern="(")

    with pytest.raises(ValidationError) as refused:
        provider.clean_fields()

    assert list(refused.value.message_dict) == ["pattern"]


def test_the_worst_text_takes_no_time():
    began = time.perf_counter()

    assert matches("(a+)+b", "a" * 200) is False

    assert time.perf_counter() - began < 0.5
