"""What keeps logs free of what is somebody's."""

from collections.abc import MutableMapping
from typing import Any

from loyalty.api.paths import masked_path


def mask_aliases(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Hide the values of aliases in everything that one line says; a processor of structlog.

    Django names the address in its warnings, such as `Not Found: /api/v1/members/by-alias/…`.
    """
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = masked_path(value)
    return event
