"""A cursor goes on where its page ended, with the filters of its page and no others."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.api.pagination import make_cursor, read_cursor
from loyalty.errors import CursorMismatch

FILTERS = {"member_id": 7, "kinds": ["EARN"], "start": None}
POSITIONS = st.integers() | st.text(max_size=40) | st.lists(st.integers() | st.text(), max_size=3)


@given(POSITIONS)
def test_a_cursor_returns_to_its_position(position):
    assert read_cursor(make_cursor(position, FILTERS), FILTERS) == position


def test_no_cursor_is_the_first_page():
    assert read_cursor(None, FILTERS) is None


@pytest.mark.parametrize(
    "change", [{"member_id": 8}, {"kinds": []}, {"start": "2026"}, {"more": 1}]
)
def test_a_cursor_of_other_filters_is_refused(change):
    cursor = make_cursor(5, FILTERS)

    with pytest.raises(CursorMismatch):
        read_cursor(cursor, {**FILTERS, **change})


def test_a_cursor_that_was_changed_is_refused_wherever_it_was_changed():
    cursor = make_cursor(5, FILTERS)
    for place, letter in enumerate(cursor):
        changed = cursor[:place] + ("A" if letter != "A" else "B") + cursor[place + 1 :]
        if base64.urlsafe_b64decode(changed[-43:] + "=") == base64.urlsafe_b64decode(
            cursor[-43:] + "="
        ):
            continue  # The last letter of a signature has bits to spare.
        with pytest.raises(CursorMismatch):
            read_cursor(changed, FILTERS)


@given(st.text(max_size=100))
def test_no_text_is_a_cursor_by_chance(text):
    with pytest.raises(CursorMismatch):
        read_cursor(text, FILTERS)


def test_a_cursor_stands_in_an_address_as_it_is():
    assert set(make_cursor([1, "é"], FILTERS)) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_:."
    )
