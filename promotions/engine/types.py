"""What goes into an evaluation and what comes out. All amounts are in minor units."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of a purchase: `net` is what was paid for it, after line and basket discounts.

    Once something came back, `quantity` is what the member keeps, `refunded` what was given back
    for it, and a line that is `gone` counts for nothing. `tax` is the part of `net` that does not
    count, `before` what the line cost before the basket's discount, where the programme counts
    that for promotions on lines.
    """

    number: int
    sku: str | None
    quantity: int  # in ten-thousandths of a piece
    net: int
    path: tuple[str, ...] = ()
    brand: str | None = None
    attributes: Mapping[str, Any] = {}
    earns: bool = True
    refunded: int = 0
    gone: bool = False
    tax: int = 0
    before: int | None = None
    paid: int | None = None  # `net` in the basket's currency, where that is another


PIECE = 10_000


class Tender(msgspec.Struct, frozen=True):
    """A means of payment with what was paid by it."""

    type: str
    amount: int


class Purchase(msgspec.Struct, frozen=True, omit_defaults=True):
    """A purchase as the engine sees it; with another `trigger`, an occasion without lines.

    `local` is `occurred_at` in the programme's time zone. Amounts are in `currency`, which is the
    programme's; a basket in another (`sent_in`) was converted at `rate`. Under `base_only` none but
    base promotions count: of what comes back and nobody knows of which purchase. Tenders of the
    types in `not_tenders` earn under no version. `worth` is the money value of one point, in minor
    units, by type, where a budget of money asks for it; `attributes` are the event's, or the
    basket's.
    """

    occurred_at: datetime
    local: datetime
    partner: str
    currency: str
    lines: tuple[Line, ...] = ()
    outlet: str | None = None
    channel: str | None = None
    tenders: tuple[Tender, ...] = ()
    coupons: tuple[str, ...] = ()
    trigger: str = "PURCHASE"
    event: str | None = None
    attributes: Mapping[str, Any] = {}
    not_tenders: tuple[str, ...] = ()
    worth: Mapping[str, str] = {}
    sent_in: str | None = None
    rate: str | None = None
    base_only: bool = False


class MemberFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What promotions may ask of a member. A guest has none of it: the engine is given None.

    `born` is an ISO date. `carried` is the money that earlier purchases left below a whole step,
    by promotion, where the programme carries it over.
    """

    tier: str
    stage: str
    segments: tuple[str, ...] = ()
    language: str | None = None
    born: str | None = None
    joined_at: datetime | None = None
    attributes: Mapping[str, Any] = {}
    carried: Mapping[str, int] | None = None


class Ceilings(Protocol):
    """What limits and budgets leave: a mapping, or what works it out when it is asked for."""

    def get(self, version_id: int, /) -> Sequence[int | None] | None:
        """Return the most that is left for a version, in the order of its `counted`.

        None stands for what is not known to bind.
        """


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


class Reward(msgspec.Struct, frozen=True, gc=False):
    """Vouchers or tickets that one promotion version gives."""

    version_id: int
    promotion: str
    version: int
    kind: str
    code: str
    quantity: int


class Use(msgspec.Struct, frozen=True, gc=False):
    """How much of one limit or budget a version used up: `place` is that in its `counted`."""

    version_id: int
    promotion: str
    place: int
    per: str
    period: str
    measure: str
    amount: int


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
    rewards: tuple[Reward, ...] = ()
    uses: tuple[Use, ...] = ()
    coupons: tuple[CouponUse, ...] = ()
    explanations: tuple[Explanation, ...] = ()


NEAR_MISSES_MAX = 20
