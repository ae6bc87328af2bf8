"""Strangers read initials."""

import pytest

from members.masking import masked_name


@pytest.mark.parametrize(
    ("first", "last", "masked"),
    [
        ("Ann", "Lee", "A*** L***"),
        ("A", "Österreicher-Huber", "A*** Ö***"),
        ("", "Lee", "L***"),
        (" Ann ", "", "A***"),
        ("", " ", None),
    ],
)
def test_a_name_is_its_initials(first, last, masked):
    assert masked_name(first, last) == masked
