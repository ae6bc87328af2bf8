"""A promotion's definition: the contract's JSON, strict, and what it may not say."""

from datetime import datetime, time
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Code = Annotated[str, Meta(pattern=r"^[A-Z0-9][A-Z0-9._-]{0,63}$")]
Amount = Annotated[str, Meta(pattern=r"^\d{1,10}(\.\d{1,4})?$")]
Duration = Annotated[str, Meta(pattern=r"^P(?=\d|T\d)[0-9YMWDTHS]{1,30}$")]
Points = Annotated[int, Meta(ge=1, le=10**9)]
Codes = Annotated[list[Code], Meta(max_length=500)]
Instant = Annotated[datetime, Meta(tz=True)]
Weekday = Literal["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
WEEKDAYS: tuple[Weekday, ...] = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a definition: what it does not know, it refuses."""


class Hours(Part, frozen=True, kw_only=True):
    """A window of local time on each day; it may run over midnight."""

    start: time = msgspec.field(name="from")
    end: time = msgspec.field(name="to")


class Audience(Part, frozen=True, kw_only=True):
    """Who and where. An empty list asks for nothing."""

    tiers: Codes = []
    stages: Annotated[list[str], Meta(max_length=10)] = []
    partners: Codes = []
    outlets: Codes = []
    channels: Annotated[list[str], Meta(max_length=50)] = []
    guests: bool = False


Wanted = dict[str, Annotated[list[str], Meta(min_length=1, max_length=5000)]]


class Lines(Part, frozen=True, kw_only=True):
    """Which lines count: those with any included value of each key, and no excluded one.

    Keys are `sku`, `category` (with all below it), `brand`, or any attribute of the product.
    """

    include: Wanted = {}
    exclude: Wanted = {}


class Minimum(Part, frozen=True, kw_only=True):
    """What the lines that count must reach together."""

    amount: Amount | None = None
    quantity: Amount | None = None


class Band(Part, frozen=True, kw_only=True):
    """From a spend on: points once, or points per step of money."""

    start: Amount = msgspec.field(name="from")
    points: Points
    per: Amount | None = None


class Award(Part, frozen=True, kw_only=True):
    """What the promotion gives."""

    kind: Literal["FIXED", "PER_AMOUNT", "MULTIPLIER", "PER_ITEM", "BANDED"]
    type: Code
    points: Points | None = None
    per: Amount | None = None
    factor: Amount | None = None
    bands: Annotated[list[Band], Meta(max_length=20)] = []
    rounding: Literal["FLOOR", "HALF_UP", "CEILING"] = "FLOOR"
    scope: Literal["LINE", "BASKET"] = "LINE"


class Combination(Part, frozen=True, kw_only=True):
    """How the promotion goes with others."""

    priority: Annotated[int, Meta(ge=-1000, le=1000)] = 0
    group: Code | None = None
    stackable: bool = True
    base: bool = False
    multiply: Literal["BEFORE", "AFTER"] = "AFTER"


class Limit(Part, frozen=True, kw_only=True):
    """The most that one purchase gets: points, or an amount of money that counts."""

    per: Literal["TRANSACTION"]
    measure: Literal["POINTS", "AMOUNT"]
    at_most: Annotated[int, Meta(ge=1)] | Amount
    then: Literal["SKIP", "REDUCE"] = "REDUCE"


class Expiry(Part, frozen=True, kw_only=True):
    """How long the points live, where it is not as their type says."""

    after: Duration
    start: Literal["EARNED", "AVAILABLE", "ACTIVITY"] = msgspec.field(name="from", default="EARNED")
    round_up: Literal["NONE", "DAY", "MONTH", "QUARTER", "YEAR"] = "NONE"


class TestMember(Part, frozen=True, kw_only=True):
    """Who buys in a rule test; without a tier, a member of the base tier."""

    tier: Code | None = None


class TestPoints(Part, frozen=True, kw_only=True):
    """Points that a rule test expects of one type."""

    type: Code
    points: Annotated[int, Meta(ge=0)]


class RuleTest(Part, frozen=True, kw_only=True):
    """An example basket with the points it must earn before the promotion may go live.

    An empty list of points expects nothing.
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    basket: dict[str, Any]
    member: TestMember = TestMember()
    points: Annotated[list[TestPoints], Meta(max_length=10)]


class Definition(Part, frozen=True, kw_only=True):
    """Everything a version holds."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    trigger: Literal["PURCHASE"] = "PURCHASE"
    active_from: Instant | None = None
    active_to: Instant | None = None
    weekdays: Annotated[list[Weekday], Meta(max_length=7)] = []
    hours: Hours | None = None
    audience: Audience = Audience()
    coupons: Codes = []
    not_tenders: Annotated[list[str], Meta(max_length=10)] = []
    lines: Lines = Lines()
    minimum: Minimum = Minimum()
    award: Award
    combination: Combination = Combination()
    limits: Annotated[list[Limit], Meta(max_length=5)] = []
    funded_by: Code | None = None
    pending: Duration | None = None
    expiry: Expiry | None = None
    texts: dict[str, dict[str, str]] = {}
    visible: bool = True
    tests: Annotated[list[RuleTest], Meta(max_length=50)] = []


class Invalid(ValueError):
    """A definition that contradicts itself; `pointer` names the part."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer


_NEEDS = {
    "FIXED": ("points",),
    "PER_AMOUNT": ("points", "per"),
    "MULTIPLIER": ("factor",),
    "PER_ITEM": ("points",),
    "BANDED": ("bands",),
}


def check(definition: Definition) -> None:
    """Refuse what the shape alone lets pass.

    :raises Invalid: with the pointer of the part that is wrong.
    """
    award = definition.award
    for name in ("points", "per", "factor", "bands"):
        wanted, given = name in _NEEDS[award.kind], bool(getattr(award, name))
        if wanted and not given:
            raise Invalid(f"/award/{name}", f"{award.kind} needs {name}.")
        if given and not wanted:
            raise Invalid(f"/award/{name}", f"{award.kind} takes no {name}.")
    if award.per is not None and float(award.per) == 0:
        raise Invalid("/award/per", "A step of nothing never ends.")
    if award.factor is not None and float(award.factor) <= 1:
        raise Invalid("/award/factor", "A multiplier is more than 1.")
    for place, limit in enumerate(definition.limits):
        if limit.measure == "POINTS" and not isinstance(limit.at_most, int):
            raise Invalid(f"/limits/{place}/at_most", "Points are a whole number.")
        if float(limit.at_most) == 0:
            raise Invalid(f"/limits/{place}/at_most", "A limit of nothing never awards.")
    starts = [float(band.start) for band in award.bands]
    if starts != sorted(set(starts)):
        raise Invalid("/award/bands", "Bands start higher and higher.")
    begins, ends = definition.active_from, definition.active_to
    if begins and ends and begins >= ends:
        raise Invalid("/active_to", "The promotion ends before it begins.")
    if definition.combination.base and award.kind == "MULTIPLIER":
        raise Invalid("/combination/base", "A multiplier cannot be multiplied.")
    if definition.audience.guests and (definition.audience.tiers or definition.audience.stages):
        raise Invalid("/audience/guests", "Guests have no tier and no stage.")
