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
    """Who and where. An empty list asks for nothing; of `segments` any will do."""

    segments: Codes = []
    not_segments: Codes = []
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
    """What the promotion gives: points of a type, vouchers of a type, or tickets."""

    kind: Literal["FIXED", "PER_AMOUNT", "MULTIPLIER", "PER_ITEM", "BANDED", "VOUCHER", "TICKET"]
    type: Code | None = None
    points: Points | None = None
    per: Amount | None = None
    factor: Amount | None = None
    bands: Annotated[list[Band], Meta(max_length=20)] = []
    voucher_type: Code | None = None
    sweepstake: Code | None = None
    quantity: Annotated[int, Meta(ge=1, le=100)] | None = None
    rounding: Literal["FLOOR", "HALF_UP", "CEILING"] = "FLOOR"
    scope: Literal["LINE", "BASKET"] = "LINE"

    @property
    def gives_points(self) -> bool:
        return self.kind not in ("VOUCHER", "TICKET")


class Combination(Part, frozen=True, kw_only=True):
    """How the promotion goes with others."""

    priority: Annotated[int, Meta(ge=-1000, le=1000)] = 0
    group: Code | None = None
    stackable: bool = True
    base: bool = False
    multiply: Literal["BEFORE", "AFTER"] = "AFTER"


AtMost = Annotated[int, Meta(ge=1, le=10**15)] | Amount


class Limit(Part, frozen=True, kw_only=True):
    """The most that one purchase, one member or the whole programme gets (in a period).

    USES counts the transactions that it awarded in, POINTS what it gave, AMOUNT the money that
    counted for it.
    """

    per: Literal["TRANSACTION", "MEMBER", "PROGRAM"]
    period: Literal["DAY", "WEEK", "MONTH", "YEAR", "LIFE"] | None = None
    measure: Literal["USES", "POINTS", "AMOUNT"]
    at_most: AtMost
    then: Literal["SKIP", "REDUCE"] = "REDUCE"


class Budget(Part, frozen=True, kw_only=True):
    """The most that the promotion gives altogether; MONEY is what its points are worth."""

    measure: Literal["POINTS", "MONEY", "USES"]
    at_most: AtMost
    then: Literal["SKIP", "REDUCE"] = "REDUCE"


class Text(Part, frozen=True, kw_only=True):
    """What members read, in one language."""

    title: Annotated[str, Meta(max_length=200)] = ""
    body: Annotated[str, Meta(max_length=4000)] = ""
    terms: Annotated[str, Meta(max_length=4000)] = ""


class Expiry(Part, frozen=True, kw_only=True):
    """How long the points live, where it is not as their type says."""

    after: Duration
    start: Literal["EARNED", "AVAILABLE", "ACTIVITY"] = msgspec.field(name="from", default="EARNED")
    round_up: Literal["NONE", "DAY", "MONTH", "QUARTER", "YEAR"] = "NONE"


class TestMember(Part, frozen=True, kw_only=True):
    """Who buys in a rule test; what is not said is as the promotion's audience has it.

    Without a tier, a member of the base tier; without segments, one of all that it asks for.
    """

    tier: Code | None = None
    stage: Annotated[str, Meta(max_length=10)] = "ACTIVE"
    segments: Codes | None = None
    language: Annotated[str, Meta(max_length=16)] | None = None
    birth_date: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    joined_at: Instant | None = None
    attributes: dict[str, Any] = {}


class TestPoints(Part, frozen=True, kw_only=True):
    """Points that a rule test expects of one type."""

    type: Code
    points: Annotated[int, Meta(ge=0)]


class TestReward(Part, frozen=True, kw_only=True):
    """Vouchers or tickets that a rule test expects."""

    kind: Literal["VOUCHER", "TICKET"]
    code: Code
    quantity: Annotated[int, Meta(ge=1)]


class RuleTest(Part, frozen=True, kw_only=True):
    """An example basket with what it must earn before the promotion may go live.

    An empty list of points expects nothing. `member` is null for a guest. Where the trigger is
    no purchase, the basket has no lines, and its `attributes` are those of the event.
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    basket: dict[str, Any]
    member: TestMember | None = TestMember()
    points: Annotated[list[TestPoints], Meta(max_length=10)] = []
    rewards: Annotated[list[TestReward], Meta(max_length=10)] = []


Trigger = Literal["PURCHASE", "EVENT", "ENROLMENT", "BIRTHDAY", "TIER_CHANGE", "REFERRAL"]
Language = Annotated[str, Meta(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]


class Definition(Part, frozen=True, kw_only=True):
    """Everything a version holds. `effective_from` is the instant it takes over at."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    trigger: Trigger = "PURCHASE"
    event: Code | None = None
    effective_from: Instant | None = None
    active_from: Instant | None = None
    active_to: Instant | None = None
    weekdays: Annotated[list[Weekday], Meta(max_length=7)] = []
    hours: Hours | None = None
    audience: Audience = Audience()
    coupons: Codes = []
    not_tenders: Annotated[list[str], Meta(max_length=10)] = []
    lines: Lines = Lines()
    minimum: Minimum = Minimum()
    condition: str | None = None
    award: Award
    combination: Combination = Combination()
    limits: Annotated[list[Limit], Meta(max_length=10)] = []
    budget: Budget | None = None
    funded_by: Code | None = None
    pending: Duration | None = None
    expiry: Expiry | None = None
    texts: Annotated[dict[Language, Text], Meta(max_length=50)] = {}
    visible: bool = True
    tests: Annotated[list[RuleTest], Meta(max_length=50)] = []
