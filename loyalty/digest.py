"""The digest of a request: what tells a retry from a conflict (DESIGN 2.3)."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

# What does not change what is posted: the proof that a person agreed, and how to answer. PINs and
# passwords are left out because a digest of a few digits gives them away to whoever reads it.
NOT_CONTENT = frozenset({"step_up", "include", "quote", "pin", "password", "proof"})

# A field is decimal text, in which 5.9 and 5.90 are one number, if its type says so:
# `Annotated[str, msgspec.Meta(…, extra=DECIMAL)]`. Its name alone says nothing: attributes hold
# whatever a partner likes, also under the name `amount`.
DECIMAL = {"decimal": True}

# Per struct: the name of each field here, its name in JSON, and whether it is decimal text.
_plans: dict[type, tuple[tuple[str, str, bool], ...]] = {}


def digest_of(operation: str, body: msgspec.Struct | Mapping[str, Any]) -> bytes:
    """Return the SHA-256 of an operation's name and its parsed body, in canonical JSON.

    `5.9` equals `5.90`, an instant equals itself in another time zone, and a missing field
    equals null; the member reference counts as it was sent.
    """
    content = {k: v for k, v in _canonical(body).items() if k not in NOT_CONTENT}
    canonical = msgspec.json.encode([operation, content], order="deterministic")
    return hashlib.sha256(canonical).digest()


def _canonical(value: Any) -> Any:
    kind = type(value)
    if kind is str or kind is int or kind is bool:
        return value
    if isinstance(value, msgspec.Struct):
        content = {}
        for name, wire_name, is_decimal in _plans.get(kind) or _plan(kind):
            each = getattr(value, name)
            if each is not None and each is not msgspec.UNSET:
                content[wire_name] = plain_number(each) if is_decimal else _canonical(each)
        return content
    if isinstance(value, Mapping):
        return {key: _canonical(each) for key, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_canonical(each) for each in value]
    if isinstance(value, datetime):
        return _in_utc(value)
    return value


def plain_number(text: str) -> str:
    """Return decimal text without the zeros that say nothing: `05.90` is `5.9`, `0.00` is `0`.

    Text is cut, not converted, so that no exponent can blow it up and no digit is rounded away.
    """
    whole, point, fraction = text.partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    return f"{whole}{point}{fraction}" if fraction else whole


def _in_utc(value: datetime) -> datetime | str:
    try:
        return value.astimezone(UTC)
    except OverflowError:  # The first and last hours of the calendar; refused by their own rule.
        return value.isoformat()


def _plan(shape: type[msgspec.Struct]) -> tuple[tuple[str, str, bool], ...]:
    hints = get_type_hints(shape, include_extras=True)
    plan = tuple(
        (field.name, field.encode_name, _is_decimal(hints[field.name]))
        for field in msgspec.structs.fields(shape)
    )
    _plans[shape] = plan
    return plan


def _is_decimal(hint: Any) -> bool:
    """Whether a type, or a part of a union such as `Amount | None`, is decimal text."""
    if get_origin(hint) is Annotated:
        marks = [getattr(each, "extra", None) for each in hint.__metadata__]
        return DECIMAL in marks or _is_decimal(hint.__origin__)
    if get_origin(hint) in (Union, UnionType):
        return any(map(_is_decimal, get_args(hint)))
    return False
