"""The check digit finds every wrong digit and nearly every swap of neighbours."""

import pytest

from members.check_digits import is_valid, luhn_digit, with_check_digit


@pytest.mark.parametrize(
    ("payload", "digit"),
    [
        ("7992739871", "3"),  # The worked example of ISO/IEC 7812-1.
        ("411111111111111", "1"),  # The test cards that schemes publish.
        ("37828224631000", "5"),
        ("0", "0"),
        ("", "0"),
    ],
)
def test_the_digit_is_that_of_the_standard(payload, digit):
    assert luhn_digit(payload) == digit
    assert is_valid(with_check_digit(payload))


def test_every_wrong_digit_is_found():
    number = with_check_digit("100000017")
    wrong = [
        number[:place] + other + number[place + 1 :]
        for place in range(len(number))
        for other in "0123456789"
        if other != number[place]
    ]

    assert len(wrong) == 90
    assert not any(is_valid(each) for each in wrong)


def test_neighbours_that_were_swapped_are_found():
    number = with_check_digit("123456789")
    swapped = [number[:n] + number[n + 1] + number[n] + number[n + 2 :] for n in range(9)]

    assert not any(is_valid(each) for each in swapped if each != number)


@pytest.mark.parametrize("text", ["", "a", "12a4", "１２３", "²", "-18", " 18", "18\n"])
def test_what_is_no_number_is_not_valid(text):
    assert not is_valid(text)
