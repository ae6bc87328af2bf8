"""The check digit of member and card numbers (Luhn, ISO/IEC 7812-1 annex B)."""


def luhn_digit(payload: str) -> str:
    """Return the digit that makes `payload` followed by it pass the Luhn check."""
    total = 0
    for place, digit in enumerate(reversed(payload)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 two digits are added up
    return str(-total % 10)


def with_check_digit(payload: str) -> str:
    """Return `payload` followed by its check digit."""
    return payload + luhn_digit(payload)


def is_valid(number: str) -> bool:
    """Return whether the last digit of a number is its check digit."""
    return number.isascii() and number.isdigit() and luhn_digit(number[:-1]) == number[-1:]
