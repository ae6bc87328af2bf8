"""The types that request bodies are made of: bounded, strict, and named for what they are."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

from loyalty.digest import DECIMAL
from loyalty.errors import FieldError, ValidationFailed

# In Python `$` also matches before a last line feed, so that "EUR\n" would pass; the look-ahead
# is the end in Python and in the schema's ECMA dialect alike. Digits are [0-9]: to Python `\d` is
# also a digit of any other script, which the database would refuse.
END = r"$(?!\n)"
# Control characters are refused everywhere: PostgreSQL stores no NUL, and no till sends any.
PLAIN = r"^[^\x00-\x1f\x7f]*" + END
_CODE = r"^[A-Z0-9][A-Z0-9._-]{0,63}" + END
_DECIMAL_TEXT = r"^[0-9]{1,10}(\.[0-9]{1,4})?" + END
_PERCENT = r"^(100(\.0{1,2})?|[0-9]{1,2}(\.[0-9]{1,2})?)" + END
_CURRENCY = r"^[A-Z]{3}" + END
_PROVIDER = r"^[a-z][a-z0-9_-]{0,63}" + END
_SLUG = r"^[a-z](?:[a-z0-9_-]{0,63})" + END
_LANGUAGE = r"^[a-z]{2,3}(-[A-Z]{2})?" + END
_NUMBER = r"^[0-9]{1,20}" + END
CARD = r"^[A-Za-z0-9]{1,32}" + END
ADDRESS = r"^[0-9A-Fa-f.:]*" + END
_PIN = r"^[0-9]{1,12}" + END

# What a caller reads in place of a pattern: the code of the field's error, and a sentence.
EXPLAINED = {
    PLAIN: ("NOT_IN_FORM", "Control characters, line feeds among them, are not accepted"),
    _CODE: ("NOT_IN_FORM", "Give a code: A-Z, 0-9 and . _ -, at most 64, no sign in front"),
    _DECIMAL_TEXT: (
        "NOT_A_DECIMAL",
        "Give decimal text such as 12.50: up to 10 digits and 4 places, not negative",
    ),
    _PERCENT: ("NOT_A_DECIMAL", "Give a percentage such as 10.00, from 0 to 100, up to 2 places"),
    _CURRENCY: ("NOT_IN_FORM", "Give an ISO 4217 code such as EUR"),
    _PROVIDER: ("NOT_IN_FORM", "Give the lower-case code of an identity provider"),
    _SLUG: ("NOT_IN_FORM", "Give a lower-case code: a-z, then a-z, 0-9, - and _, at most 64"),
    _LANGUAGE: ("NOT_IN_FORM", "Give the code of a language, such as en or de-AT"),
    _NUMBER: ("NOT_IN_FORM", "Give a member number: up to 20 digits"),
    CARD: ("NOT_IN_FORM", "Give a card number: up to 32 letters and digits"),
    ADDRESS: ("NOT_IN_FORM", "Give an IP address"),
    _PIN: ("NOT_IN_FORM", "Give a PIN: digits only"),
}

Code = Annotated[str, Meta(pattern=_CODE, description="A stored code.")]
Slug = Annotated[str, Meta(pattern=_SLUG, description="A code of the programme's lists.")]
LanguageCode = Annotated[str, Meta(pattern=_LANGUAGE, description="Such as en or de-AT.")]
Reference = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=PLAIN,
        description="The caller's own id of this posting, unique per partner and kind.",
    ),
]
Short = Annotated[str, Meta(max_length=200, pattern=PLAIN)]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=PLAIN)]
Pin = Annotated[str, Meta(pattern=_PIN, description="As many digits as the programme asks for.")]
StepUpToken = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=PLAIN,
        description="What a verified PIN or a confirmed one-time code gave.",
    ),
]
Reason = Annotated[str, Meta(min_length=1, max_length=4000, pattern=r"^[^\x00]*$")]
Points = Annotated[
    int,
    Meta(ge=1, le=10**15, description="Points, in the smallest unit of their type."),
]
# Decimal text is never negative. `extra` tells the digest that 5.9 and 5.90 are one number.
Amount = Annotated[
    str, Meta(pattern=_DECIMAL_TEXT, description="Money, as decimal text.", extra=DECIMAL)
]
Quantity = Annotated[
    str, Meta(pattern=_DECIMAL_TEXT, description="Up to 4 places, as decimal text.", extra=DECIMAL)
]
MemberNumber = Annotated[str, Meta(pattern=_NUMBER, description="A member's number.")]
CardNumber = Annotated[str, Meta(pattern=CARD, description="A card's number.")]
Percent = Annotated[str, Meta(pattern=_PERCENT, extra=DECIMAL)]
Currency = Annotated[str, Meta(pattern=_CURRENCY, description="ISO 4217.")]
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

    provider: Annotated[str, Meta(pattern=_PROVIDER)]
    value: Annotated[str, Meta(min_length=1, max_length=200, pattern=PLAIN)]


class MemberReference(Body, kw_only=True):
    """Exactly one of number, card and alias."""

    number: Annotated[str, Meta(pattern=_NUMBER)] | None = None
    card: CardNumber | None = None
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
        if self.alias is not None:
            given["alias"] = msgspec.structs.asdict(self.alias)
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


S = TypeVar("S", bound=msgspec.Struct)


def filled(shape: type[S], source: Any, **others: Any) -> S:
    """Return `shape` filled with what `source` calls by the same names, and with `others`."""
    same = {n: getattr(source, n) for n in shape.__struct_fields__ if n not in others}
    return shape(**same, **others)


def check_instant(value: datetime | None, pointer: str) -> None:
    """:raises ValidationFailed: if an instant is not of this century."""
    if value is not None and not EARLIEST <= value < LATEST:
        message = "Instants lie between 2000 and 2100."
        raise ValidationFailed([FieldError(pointer, "OUT_OF_RANGE", message)])


def amount_of(value: str | None) -> Decimal | None:
    """Return decimal text, already checked, as a number."""
    return None if value is None else Decimal(value)
