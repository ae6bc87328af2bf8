"""The types that request bodies are made of: bounded, strict, and named for what they are."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from loyalty.errors import FieldError, ValidationFailed

# Control characters are refused everywhere: PostgreSQL stores no NUL, and no till sends any.
_PLAIN = r"^[^\x00-\x1f\x7f]*$"

Code = Annotated[str, Meta(pattern=r"^[A-Z0-9][A-Z0-9._-]{0,63}$", description="A stored code.")]
Reference = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=_PLAIN,
        description="The caller's own id of this posting, unique per partner and kind.",
    ),
]
Short = Annotated[str, Meta(max_length=200, pattern=_PLAIN)]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=_PLAIN)]
Reason = Annotated[str, Meta(min_length=1, max_length=4000, pattern=r"^[^\x00]*$")]
Points = Annotated[
    int,
    Meta(ge=1, le=10**15, description="Points, in the smallest unit of their type."),
]
# Decimal text: amounts have 2 to 4 places, quantities up to 4; both are bounded and never negative.
Amount = Annotated[
    str, Meta(pattern=r"^\d{1,10}(\.\d{1,4})?$", description="Money, as decimal text.")
]
Quantity = Annotated[
    str, Meta(pattern=r"^\d{1,10}(\.\d{1,4})?$", description="Up to 4 places, as decimal text.")
]
Percent = Annotated[str, Meta(pattern=r"^(100(\.0{1,2})?|\d{1,2}(\.\d{1,2})?)$")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$", description="ISO 4217.")]
Instant = Annotated[datetime, Meta(tz=True, description="RFC 3339 with offset.")]

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A request body: unknown fields are refused."""


class Answer(msgspec.Struct, kw_only=True):
    """An answer: every field is there."""


class Money(Body, kw_only=True):
    """An amount with its currency."""

    amount: Amount
    currency: Currency


class AliasReference(Body, kw_only=True):
    """A name by which another system knows the member."""

    provider: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    value: Annotated[str, Meta(min_length=1, max_length=200, pattern=_PLAIN)]


class MemberReference(Body, kw_only=True):
    """Exactly one of number, card and alias."""

    number: Annotated[str, Meta(pattern=r"^\d{1,20}$")] | None = None
    card: Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{1,32}$")] | None = None
    alias: AliasReference | None = None

    def named(self, pointer: str = "/member") -> dict[str, Any]:
        """Return the reference as `ledger.services.posting.lock` takes it.

        :raises ValidationFailed: if not exactly one way is given.
        """
        given = {
            key: value for key, value in msgspec.structs.asdict(self).items() if value is not None
        }
        if len(given) != 1:
            message = "Give exactly one of number, card and alias."
            raise ValidationFailed([FieldError(pointer, "EXACTLY_ONE", message)])
        return given


class OriginalReference(Body, kw_only=True):
    """An earlier transaction, by its id or by the reference it was given."""

    id: UUID | None = None
    reference: Reference | None = None
    kind: Name | None = None
    partner: Code | None = None

    def check(self, pointer: str = "/original") -> None:
        """:raises ValidationFailed: if not exactly one of id and reference is given."""
        if (self.id is None) == (self.reference is None):
            message = "Give exactly one of id and reference."
            raise ValidationFailed([FieldError(pointer, "EXACTLY_ONE", message)])


def check_instant(value: datetime | None, pointer: str) -> None:
    """:raises ValidationFailed: if an instant is not of this century."""
    if value is not None and not EARLIEST <= value < LATEST:
        message = "Instants lie between 2000 and 2100."
        raise ValidationFailed([FieldError(pointer, "OUT_OF_RANGE", message)])


def amount_of(value: str | None) -> Decimal | None:
    """Return decimal text, already checked, as a number."""
    return None if value is None else Decimal(value)
