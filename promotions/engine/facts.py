"""The names that conditions may ask for, and their values in one evaluation."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import msgspec

from loyalty.expressions import Kind, Names, Record, kinds_of, may_be_asked
from loyalty.money import places
from promotions.engine.definition import WEEKDAYS
from promotions.engine.types import PIECE, MemberFacts, Purchase


class Schemas(msgspec.Struct, frozen=True):
    """The programme's own attributes, as `loyalty.attributes` has them; events by their code."""

    product: Mapping[str, Any] = {}
    member: Mapping[str, Any] = {}
    events: Mapping[str, Mapping[str, Any]] = {}


BASKET: dict[str, Kind | Record] = {
    "basket.amount": Kind.NUMBER,
    "basket.quantity": Kind.NUMBER,
    "basket.coupons": Kind.TEXTS,
}
OCCASION: dict[str, Kind | Record] = {
    "basket.partner": Kind.TEXT,
    "basket.outlet": Kind.TEXT,
    "basket.channel": Kind.TEXT,
    "basket.weekday": Kind.TEXT,
    "basket.occurred_at": Kind.INSTANT,
}
MEMBER: dict[str, Kind | Record] = {
    "member.tier": Kind.TEXT,
    "member.stage": Kind.TEXT,
    "member.segments": Kind.TEXTS,
    "member.language": Kind.TEXT,
    "member.birth_date": Kind.TEXT,
    "member.birth_month": Kind.INTEGER,
    "member.birth_day": Kind.INTEGER,
    "member.age": Kind.INTEGER,
    "member.joined_at": Kind.INSTANT,
    "member.joined_days": Kind.INTEGER,
}
# What Laurel itself says of an occasion; the attributes of an EVENT are its type's.
OCCASIONS: dict[str, dict[str, Kind | Record]] = {
    "ENROLMENT": {"channel": Kind.TEXT, "referred": Kind.BOOLEAN},
    "BIRTHDAY": {"age": Kind.INTEGER},
    "TIER_CHANGE": {"before": Kind.TEXT, "after": Kind.TEXT, "up": Kind.BOOLEAN},
    "REFERRAL": {"role": Kind.TEXT},
}
_BASKET_ATTRIBUTE = re.compile(r"\bbasket\.attributes\.([A-Za-z_][A-Za-z0-9_]*)")


def names_of(trigger: str, event: str | None, text: str, schemas: Schemas) -> Names:
    """Return the names that a condition on this trigger may ask for.

    A basket's attributes have no schema: those that the text names are text.
    """
    member = {f"member.attributes.{key}": kind for key, kind in kinds_of(schemas.member).items()}
    if trigger != "PURCHASE":
        own = OCCASIONS.get(trigger, {})
        fields = own or kinds_of(schemas.events.get(event or "", {}))
        return Names.of(OCCASION, MEMBER, member, {"event": Record(tuple(fields.items()))})
    named = {
        f"basket.attributes.{key}": Kind.TEXT
        for key in _BASKET_ATTRIBUTE.findall(text)
        if may_be_asked(key)
    }
    line = Record(
        (
            ("sku", Kind.TEXT),
            ("quantity", Kind.NUMBER),
            ("amount", Kind.NUMBER),
            ("category", Kind.TEXTS),
            ("brand", Kind.TEXT),
            ("earns", Kind.BOOLEAN),
            ("attributes", Record(tuple(kinds_of(schemas.product).items()))),
        ),
        many=True,
    )
    return Names.of(OCCASION, BASKET, MEMBER, member, named, {"lines": line})


class Facts:
    """What conditions may ask of one evaluation; each is worked out when first asked for."""

    def __init__(self, purchase: Purchase, member: MemberFacts | None) -> None:
        self._purchase, self._member = purchase, member
        self._known: dict[str, Any] = {}

    def get(self, name: str) -> Any:
        """Return the value of a name, or None where there is none."""
        if name not in self._known:
            self._known[name] = self._look_up(name)
        return self._known[name]

    def _look_up(self, name: str) -> Any:
        if name.startswith("member.attributes."):
            return self._member.attributes.get(name[18:]) if self._member else None
        if name.startswith("basket.attributes."):
            return self._purchase.attributes.get(name[18:])
        if name.startswith("member."):
            if self._member is None:
                return _OF_GUESTS.get(name)
            return _OF_MEMBERS[name](self._purchase, self._member)
        return _OF_PURCHASES[name](self._purchase)


_OF_GUESTS: dict[str, Any] = {"member.tier": "", "member.segments": []}


def _born(member: MemberFacts) -> date | None:
    return date.fromisoformat(member.born) if member.born else None


def _age(purchase: Purchase, member: MemberFacts) -> int | None:
    born, today = _born(member), purchase.local.date()
    if born is None:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _joined_days(purchase: Purchase, member: MemberFacts) -> int | None:
    if member.joined_at is None:
        return None
    joined = member.joined_at.astimezone(purchase.local.tzinfo).date()
    return (purchase.local.date() - joined).days


_OF_MEMBERS: dict[str, Callable[[Purchase, MemberFacts], Any]] = {
    "member.tier": lambda _, member: member.tier,
    "member.stage": lambda _, member: member.stage,
    "member.segments": lambda _, member: list(member.segments),
    "member.language": lambda _, member: member.language,
    "member.birth_date": lambda _, member: member.born,
    "member.birth_month": lambda _, member: born.month if (born := _born(member)) else None,
    "member.birth_day": lambda _, member: born.day if (born := _born(member)) else None,
    "member.age": _age,
    "member.joined_at": lambda _, member: member.joined_at,
    "member.joined_days": _joined_days,
}


def _amount(minor: int, purchase: Purchase) -> float:
    """Return money as the double next to the exact decimal: dividing integers rounds once."""
    return minor / int(10 ** places(purchase.currency))


def _lines(purchase: Purchase) -> list[dict[str, Any]]:
    return [
        {
            "sku": line.sku,
            "quantity": line.quantity / PIECE,
            "amount": _amount(max(0, line.net - line.refunded), purchase),
            "category": line.path,
            "brand": line.brand,
            "earns": line.earns,
            "attributes": line.attributes,
        }
        for line in purchase.lines
        if not line.gone
    ]


def _kept(purchase: Purchase) -> int:
    return sum(max(0, line.net - line.refunded) for line in purchase.lines if not line.gone)


_OF_PURCHASES: dict[str, Callable[[Purchase], Any]] = {
    "basket.amount": lambda purchase: _amount(_kept(purchase), purchase),
    "basket.quantity": lambda purchase: sum(line.quantity for line in purchase.lines) / PIECE,
    "basket.coupons": lambda purchase: list(purchase.coupons),
    "basket.partner": lambda purchase: purchase.partner,
    "basket.outlet": lambda purchase: purchase.outlet,
    "basket.channel": lambda purchase: purchase.channel,
    "basket.weekday": lambda purchase: WEEKDAYS[purchase.local.weekday()],
    "basket.occurred_at": lambda purchase: purchase.occurred_at,
    "lines": _lines,
    "event": lambda purchase: purchase.attributes,
}
