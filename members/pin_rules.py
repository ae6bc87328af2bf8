"""Which PINs are too easy to guess."""

import itertools
from datetime import date


def reason_against(pin: str, *, digits: int, birth_date: date | None) -> str | None:
    """Return why a PIN is refused, as a code; None if it is not.

    WRONG_LENGTH, REPEATED (7777, 1212), SEQUENCE (1234, 4321, 8901) or BIRTH_DATE, however it is
    written.
    """
    if len(pin) != digits or not pin.isascii() or not pin.isdigit():
        return "WRONG_LENGTH"
    if _is_repeated(pin):
        return "REPEATED"
    steps = {(int(later) - int(earlier)) % 10 for earlier, later in itertools.pairwise(pin)}
    if steps in ({1}, {9}):
        return "SEQUENCE"
    if birth_date is not None and pin in _written(birth_date):
        return "BIRTH_DATE"
    return None


def _is_repeated(pin: str) -> bool:
    """Whether the PIN is one part said several times, as in 7777 and 123123."""
    return any(
        len(pin) % part == 0 and pin == pin[:part] * (len(pin) // part)
        for part in range(1, len(pin) // 2 + 1)
    )


def _written(day: date) -> set[str]:
    return {
        day.strftime(form)
        for form in (
            *("%d%m", "%m%d", "%Y", "%m%y", "%y%m", "%d%y"),
            *("%d%m%y", "%m%d%y", "%y%m%d", "%m%Y", "%Y%m"),
            *("%d%m%Y", "%m%d%Y", "%Y%m%d"),
        )
    }
