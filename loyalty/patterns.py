"""Regular expressions that people of the staff write: matched in linear time, by RE2.

Python's own engine can be kept busy for years by a pattern such as `(a+)+b` and the right text.
RE2 has no back references and no look-around; a pattern that uses them is refused when saved.
"""

from functools import lru_cache
from typing import Any

import re2
from django.core.exceptions import ValidationError

MEMORY_BYTES_MAX = 1 << 20  # What the compiled pattern may take: `(.{200}){200}` would take more.


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY_BYTES_MAX
    return re2.compile(pattern, options)


def matches(pattern: str, text: str) -> bool:
    """Return whether all of a text is of a pattern; every text is of an empty one."""
    return not pattern or _compiled(pattern).fullmatch(text) is not None


def check_pattern(pattern: str) -> None:
    """Refuse what is no pattern; a validator of model fields.

    :raises ValidationError: with what RE2 says of it.
    """
    try:
        _compiled(pattern)
    except re2.error as error:
        told = error.args[0] if error.args else ""
        reason = told.decode(errors="replace") if isinstance(told, bytes) else str(told)
        message = f"This is no pattern that can be matched safely: {reason}."
        raise ValidationError(message) from None
