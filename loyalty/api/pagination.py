"""Keyset cursors: signed, opaque, and bound to the filters of the page that gave them."""

import hashlib
from typing import Any

import msgspec
from django.core import signing

from loyalty.errors import CursorMismatch

LIMIT = 50
LIMIT_MAX = 200
_SALT = "laurel.cursor"


def make_cursor(position: Any, filters: Any) -> str:
    """Return a cursor that goes on after `position` (plain values), for these filters only."""
    return signing.dumps([position, _digest(filters)], salt=_SALT)


def read_cursor(cursor: str | None, filters: Any) -> Any:
    """Return the position of a cursor; None for the first page.

    :raises CursorMismatch: if it was made for other filters, or not by Laurel.
    """
    if cursor is None:
        return None
    try:
        position, digest = signing.loads(cursor, salt=_SALT)
    except (signing.BadSignature, ValueError):
        raise CursorMismatch from None
    if digest != _digest(filters):
        raise CursorMismatch
    return position


def _digest(filters: Any) -> str:
    encoded = msgspec.json.encode(filters, order="deterministic")
    return hashlib.sha256(encoded).hexdigest()[:16]
