"""PINs that are guessed first are refused."""

from datetime import date

import pytest

from members.pin_rules import reason_against

BORN = date(1987, 3, 21)


@pytest.mark.parametrize("pin", ["2580", "1357", "9071", "1123"])
def test_a_pin_of_four_digits(pin):
    assert reason_against(pin, digits=4, birth_date=BORN) is None


@pytest.mark.parametrize(
    ("pin", "reason"),
    [
        ("258", "WRONG_LENGTH"),
        ("25801", "WRONG_LENGTH"),
        ("258x", "WRONG_LENGTH"),
        ("٢٥٨٠", "WRONG_LENGTH"),
        ("7777", "REPEATED"),
        ("1212", "REPEATED"),
        ("1234", "SEQUENCE"),
        ("4321", "SEQUENCE"),
        ("8901", "SEQUENCE"),
        ("1098", "SEQUENCE"),
        ("1987", "BIRTH_DATE"),
        ("2103", "BIRTH_DATE"),
        ("0321", "BIRTH_DATE"),
        ("0387", "BIRTH_DATE"),
        ("8703", "BIRTH_DATE"),
    ],
)
def test_a_pin_that_is_refused(pin, reason):
    assert reason_against(pin, digits=4, birth_date=BORN) == reason


@pytest.mark.parametrize(
    ("pin", "reason"),
    [
        ("210387", "BIRTH_DATE"),
        ("123123", "REPEATED"),
        ("121212", "REPEATED"),
        ("456789", "SEQUENCE"),
        ("258013", None),
        ("031987", "BIRTH_DATE"),
    ],
)
def test_a_pin_of_six_digits(pin, reason):
    assert reason_against(pin, digits=6, birth_date=BORN) == reason


def test_without_a_birth_date_none_is_guessed():
    assert reason_against("1987", digits=4, birth_date=None) is None
