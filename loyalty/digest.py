"""The digest of a request: what tells a retry from a conflict (DESIGN 2.3)."""

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

# What does not change what is posted: the proof that a person agreed, and how to answer.
NOT_CONTENT = frozenset({"step_up", "include", "quote"})


def digest_of(operation: str, body: msgspec.Struct) -> bytes:
    """Return the SHA-256 of an operation's name and its parsed body, in canonical JSON.

    `5.9` equals `5.90`, an instant equals itself in another time zone, and a missing field
    equals null; the member reference counts as it was sent.
    """
    canonical = msgspec.json.encode([operation, _canonical(body)], order="deterministic")
    return hashlib.sha256(canonical).digest()


# Fields that hold decimal text, in which 5.9 and 5.90 are one number.
DECIMALS = frozenset({"amount", "discount", "tax", "quantity", "percent"})


def _number(value: Any) -> Any:
    return format(Decimal(value).normalize(), "f") if isinstance(value, str) else _canonical(value)


def _canonical(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, dict):
        return {
            key: _number(each) if key in DECIMALS else _canonical(each)
            for key, each in value.items()
            if each is not None and each is not msgspec.UNSET and key not in NOT_CONTENT
        }
    if isinstance(value, list | tuple):
        return [_canonical(each) for each in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return value
