"""System checks: what must hold before Laurel starts."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection


def refuse_to_start_if_wrong() -> None:
    """Stop a process whose settings contradict what is stored.

    :raises ImproperlyConfigured: with what is wrong.
    """
    errors = run_checks(tags=[Tags.database], databases=["default"])
    if found := [error for error in errors if error.is_serious()]:
        raise ImproperlyConfigured("; ".join(str(error.msg) for error in found))


@register(Tags.database)
def time_zone_is_kept(
    *, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Refuse another time zone than the one that the first posting recorded (DESIGN 2.7)."""
    if not databases:
        return []
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT time_zone FROM loyalty_program WHERE time_zone_fixed")
            row = cursor.fetchone()
    except DatabaseError:
        return []  # Not migrated yet: nothing was posted.
    if row and row[0] != settings.LAUREL_TIME_ZONE:
        return [
            Error(
                f"LAUREL_TIME_ZONE is {settings.LAUREL_TIME_ZONE}, but points were posted "
                f"in {row[0]}. Local days cannot change once points have dates.",
                id="laurel.E001",
            )
        ]
    return []
