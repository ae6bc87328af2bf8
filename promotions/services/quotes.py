"""Quotes: what an evaluation promised, signed, so that the earn can say what came out otherwise.

A quote binds nobody. It holds the points by promotion version, and for whom and whose till it was
made; where that would be too long for a body, the points by type alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from django.core import signing
from django.utils.crypto import salted_hmac

from loyalty.errors import FieldError, ValidationFailed

LONGEST = 4_000
_SALT = "promotions.quote"
Given = tuple[str | None, int | None, str]


class _Content(msgspec.Struct):
    holder: str
    points: list[tuple[str | None, int | None, str, int]]


@dataclass(frozen=True, slots=True)
class Promise:
    """What a quote says: for whom, and the points by promotion, version and type."""

    holder: str
    points: Mapping[Given, int]


def sign(awards: Iterable[Mapping[str, Any]], *, partner_id: int, member_id: int) -> str:
    """Return the quote of what a member was told at a partner's till."""
    given = _by_version(awards)
    holder = _holder(partner_id, member_id)
    text = _signed(holder, given)
    return text if len(text) <= LONGEST else _signed(holder, _by_type(given))


def _signed(holder: str, given: Mapping[Given, int]) -> str:
    content = _Content(holder, [(*key, points) for key, points in given.items()])
    return signing.dumps(msgspec.to_builtins(content), salt=_SALT, compress=True)


def read(quote: str | None) -> Promise | None:
    """Return what a quote says; None for none.

    :raises ValidationFailed: if it is damaged, or not one of ours.
    """
    if quote is None:
        return None
    try:
        content = msgspec.convert(signing.loads(quote, salt=_SALT), _Content)
    except (signing.BadSignature, msgspec.ValidationError, ValueError):
        message = "This is no quote of ours, or it was damaged."
        raise ValidationFailed([FieldError("/quote", "INVALID", message)]) from None
    return Promise(content.holder, {(p, v, kind): n for p, v, kind, n in content.points})


def check(promise: Promise | None, *, partner_id: int, member_id: int | None) -> None:
    """:raises ValidationFailed: if a quote was made for another member, or at another partner."""
    if promise is None:
        return
    if member_id is None or promise.holder != _holder(partner_id, member_id):
        message = "This quote was made for another member or partner."
        raise ValidationFailed([FieldError("/quote", "INVALID", message)])


def changes(promise: Promise, awards: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what differs from the promise, by promotion, version and type; nothing if all is so.

    By type alone, where the quote was too long to say more.
    """
    given = _by_version(awards)
    if any(promotion is None for promotion, _, _ in promise.points):
        given = _by_type(given)
    keys = dict.fromkeys([*promise.points, *given])
    return [
        {
            "promotion": promotion,
            "version": version,
            "type": kind,
            "promised": promise.points.get((promotion, version, kind), 0),
            "points": given.get((promotion, version, kind), 0),
        }
        for promotion, version, kind in keys
        if promise.points.get((promotion, version, kind), 0)
        != given.get((promotion, version, kind), 0)
    ]


def _by_version(awards: Iterable[Mapping[str, Any]]) -> dict[Given, int]:
    given: dict[Given, int] = {}
    for award in awards:
        key = (award["promotion"], award["version"], award["type"])
        given[key] = given.get(key, 0) + award["points"]
    return given


def _by_type(given: Mapping[Given, int]) -> dict[Given, int]:
    sums: dict[Given, int] = {}
    for (_, _, kind), points in given.items():
        key = (None, None, kind)
        sums[key] = sums.get(key, 0) + points
    return sums


def _holder(partner_id: int, member_id: int) -> str:
    """Return for whom a quote is; nobody reads a member's key from it."""
    return salted_hmac(_SALT, f"{partner_id}/{member_id}", algorithm="sha256").hexdigest()[:24]
