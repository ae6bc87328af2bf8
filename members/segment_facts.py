"""What a segment's condition may ask of a member, and the answers for each. Pure.

Balances and spend belong to apps above: a promotion's own condition asks for these.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from loyalty.expressions import Expression, Kind, Names, Record, compile, may_be_asked

# Each with what it says, as the documentation and the editor list them.
FACTS: Mapping[str, tuple[Kind, str]] = {
    "member.age": (Kind.INTEGER, "Whole years; unknown without a birth date."),
    "member.birth_month": (Kind.INTEGER, "1 to 12; unknown without a birth date."),
    "member.country": (Kind.TEXT, "Of the address, such as AT."),
    "member.language": (Kind.TEXT, "Such as en."),
    "member.currency": (Kind.TEXT, "In which values are shown, such as EUR."),
    "member.stage": (Kind.TEXT, "Such as ACTIVE."),
    "member.tier": (Kind.TEXT, "The tier's code, such as GOLD."),
    "member.enrolled_by": (Kind.TEXT, "The code of the partner that enrolled the member."),
    "member.joined_at": (Kind.INSTANT, "When the member enrolled."),
    "member.joined_days": (Kind.INTEGER, "Whole days since then."),
    "member.has_email": (Kind.BOOLEAN, "Whether there is an e-mail address."),
    "member.has_phone": (Kind.BOOLEAN, "Whether there is a phone number."),
    "member.consents": (
        Kind.TEXTS,
        "What the member agrees to now: the category, and category/channel where one was named.",
    ),
}
ATTRIBUTES = "member.attributes"
_KINDS = {
    "TEXT": Kind.TEXT,
    "INTEGER": Kind.INTEGER,
    "DECIMAL": Kind.NUMBER,
    "BOOLEAN": Kind.BOOLEAN,
    "DATE": Kind.TEXT,
    "CHOICE": Kind.TEXT,
    "LIST": Kind.TEXTS,
}


class Facts(NamedTuple):
    """A member's row, as the refresh reads it."""

    id: int
    birth_date: date | None
    country: str | None
    language: str
    currency: str
    stage: str
    tier: str
    enrolled_by: str
    joined_at: datetime
    has_email: bool
    has_phone: bool
    consents: list[str]
    attributes: dict[str, Any]


def names_for(schema: Mapping[str, Any]) -> Names:
    """Return what a condition may ask for; `schema` is that of the programme's own attributes."""
    kinds: dict[str, Kind | Record] = {name: kind for name, (kind, _) in FACTS.items()}
    own = {
        name: _KINDS[definition["type"]]
        for name, definition in schema.items()
        if may_be_asked(name) and definition.get("type") in _KINDS
    }
    if own:
        kinds[ATTRIBUTES] = Record(tuple(own.items()))
    return Names.of(kinds)


def compiled(condition: str, schema: Mapping[str, Any]) -> Expression:
    """Return a condition ready to be evaluated.

    :raises BadExpression: at the character where it is wrong.
    """
    return compile(condition, names_for(schema))


def facts_of(
    row: Facts, *, schema: Mapping[str, Any], at: datetime, zone: ZoneInfo
) -> dict[str, Any]:
    """Return the values of all names for a member at an instant; local days are of `zone`."""
    today = at.astimezone(zone).date()
    born = row.birth_date
    return {
        "member.age": relativedelta(today, born).years if born else None,
        "member.birth_month": born.month if born else None,
        "member.country": row.country or "",
        "member.language": row.language,
        "member.currency": row.currency,
        "member.stage": row.stage,
        "member.tier": row.tier,
        "member.enrolled_by": row.enrolled_by,
        "member.joined_at": row.joined_at,
        "member.joined_days": (today - row.joined_at.astimezone(zone).date()).days,
        "member.has_email": row.has_email,
        "member.has_phone": row.has_phone,
        "member.consents": row.consents,
        ATTRIBUTES: _attributes(row.attributes, schema),
    }


def _attributes(values: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a member's own attributes; decimal text becomes the number next to it."""
    return {
        name: float(value) if schema.get(name, {}).get("type") == "DECIMAL" else value
        for name, value in values.items()
        if value is not None
    }
