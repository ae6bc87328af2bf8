"""What goes into an evaluation and what comes out. All amounts are in minor units."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec


class Line(msgspec.Struct, frozen=True):
    """A line of a purchase: `net` is what was paid for it, after line and basket discounts."""

    number: int
    sku: str | None
    quantity: int  # in ten-thousandths of a piece
    net: int
    path: tuple[str, ...] = ()
    brand: str | None = None
    attributes: Mapping[str, Any] = {}
    earns: bool = True


PIECE = 10_000


class Tender(msgspec.Struct, frozen=True):
    """A means of payment with what was paid by it."""

    type: str
    amount: int


class Purchase(msgspec.Struct, frozen=True):
    """A purchase as the engine sees it. `local` is `occurred_at` in the programme's time zone."""

    occurred_at: datetime
    local: datetime
    partner: str
    currency: str
    lines: tuple[Line, ...]
    outlet: str | None = None
    channel: str | None = None
    tenders: tuple[Tender, ...] = ()
    coupons: tuple[str, ...] = ()


class MemberFacts(msgspec.Struct, frozen=True):
    """What promotions may ask of a member. A guest has none of it: the engine is given None."""

    tier: str
    stage: str


class Award(msgspec.Struct, frozen=True, gc=False):
    """Points (more than 0) that one promotion version gives, for one line or for the basket."""

    version_id: int
    promotion: str
    version: int
    line: int | None
    type: str
    points: int
    pending: str | None
    expiry: str | None


class NearMiss(msgspec.Struct, frozen=True):
    """A promotion that was close: what it wanted, and how much was missing."""

    promotion: str
    version: int
    reason: str
    missing: str | None = None


class Condition(msgspec.Struct, frozen=True):
    """One condition of a promotion with what it wanted and what it saw."""

    name: str
    wanted: Any
    seen: Any
    met: bool


class Explanation(msgspec.Struct, frozen=True):
    """Why a version gave what it gave: every condition, and the steps from basis to points."""

    version_id: int
    conditions: tuple[Condition, ...]
    base: int
    steps: tuple[str, ...]
    rounding: str
    caps: tuple[str, ...]


class CouponUse(msgspec.Struct, frozen=True):
    """Whether a coupon that was shown made a promotion award, and if not, why."""

    code: str
    used: bool
    reason: str | None


class Evaluation(msgspec.Struct, frozen=True):
    """What a purchase earns."""

    awards: tuple[Award, ...]
    near_misses: tuple[NearMiss, ...]
    coupons: tuple[CouponUse, ...] = ()
    explanations: tuple[Explanation, ...] = ()


NEAR_MISSES_MAX = 20
