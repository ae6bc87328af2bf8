"""What a careful reader would ask about a definition: it is allowed, and may not be meant."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from promotions.engine.definition import Definition, Limit

# By code, in the order in which they are told; docs/promotions.md has a paragraph for each.
CODES = (
    *("NEVER_AWARDS", "OVER", "NO_HOURS", "TIER_CONTRADICTED", "STAGE_EARNS_NOTHING"),
    *("UNKNOWN_PARTNER", "UNKNOWN_OUTLET", "UNKNOWN_PRODUCT", "UNKNOWN_CATEGORY"),
    *("UNKNOWN_BRAND", "UNKNOWN_ATTRIBUTE", "NO_LINES_LEFT", "SEGMENT_EMPTY", "EVENT_INACTIVE"),
    *("LIMIT_BELOW_AWARD", "BAND_UNREACHABLE", "MINIMUM_ABOVE_LIMIT", "MINIMUM_UNREACHABLE"),
    *("NOTHING_TO_MULTIPLY",),
    *("GIVES_WAY", "PUSHES_OUT", "OVERLAP", "COUPON_SHARED", "NO_CAP", "EARNS_TOO_MUCH"),
    *("NO_MINIMUM", "EXPIRES_WHILE_PENDING", "NO_END", "NO_TESTS", "TESTS_FAIL", "NO_GUESTS"),
)
Found = tuple[str, str]
_AT_MOST = re.compile(r"\bbasket\.amount\s*(<=?)\s*(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Live:
    """Another promotion that is live, with the version in effect."""

    code: str
    definition: Definition


@dataclass(frozen=True, slots=True)
class Around:
    """What a definition is judged among. `paths` are the categories above SKUs and categories.

    `worth` is the money that one point of the definition's type is worth, `share` the percent of
    a price that may be given, where there is one.
    """

    at: datetime
    live: tuple[Live, ...] = ()
    paths: Mapping[str, frozenset[str]] = field(default_factory=dict)
    worth: Decimal | None = None
    share: Decimal | None = None


def lint(definition: Definition, around: Around) -> Iterator[Found]:
    """Yield what to ask about a definition, each as its code and a sentence."""
    yield from _dead(definition, around)
    yield from _limits(definition)
    if definition.award.kind == "MULTIPLIER":
        yield from _multiplier(definition, around)
    yield from _beside(definition, around)
    yield from _generous(definition, around)
    yield from _left_open(definition)


def _dead(definition: Definition, around: Around) -> Iterator[Found]:
    """Yield why a definition can award nothing, as far as it alone tells."""
    if definition.active_to is not None and definition.active_to <= around.at:
        yield "OVER", f"it ended at {definition.active_to.isoformat()}."
    hours = definition.hours
    if hours and hours.start == hours.end:
        yield "NO_HOURS", "its hours end when they begin, so no time of the day is in them."
    for key, values in definition.lines.include.items():
        if not set(values) - set(definition.lines.exclude.get(key, [])):
            yield "NO_LINES_LEFT", f"every {key} that it includes is excluded again."
    minimum = Decimal(definition.minimum.amount or 0)
    condition = definition.condition or ""
    for sign, most in _AT_MOST.findall(condition) if "||" not in condition else ():
        if minimum > Decimal(most) or (minimum == Decimal(most) and sign == "<"):
            text = f"its minimum is {minimum}, its condition wants a basket {sign} {most}."
            yield "MINIMUM_UNREACHABLE", text
    for band, following in zip(definition.award.bands, definition.award.bands[1:], strict=False):
        if minimum >= Decimal(following.start):
            text = f"the band from {band.start} never counts: the minimum is {minimum}."
            yield "BAND_UNREACHABLE", text


def _limits(definition: Definition) -> Iterator[Found]:
    award, minimum = definition.award, Decimal(definition.minimum.amount or 0)
    for limit in definition.limits:
        of_money = limit.per == "TRANSACTION" and limit.measure == "AMOUNT"
        if of_money and limit.then == "SKIP" and minimum > Decimal(limit.at_most):
            text = f"it begins at {minimum} and is skipped above {limit.at_most}."
            yield "MINIMUM_ABOVE_LIMIT", text
    least = award.points if award.kind in ("FIXED", "PER_AMOUNT", "PER_ITEM") else None
    tops: list[tuple[str, int | str, str]] = [
        (_name(limit), limit.at_most, limit.then)
        for limit in definition.limits
        if limit.measure == "POINTS"
    ]
    if definition.budget and definition.budget.measure == "POINTS":
        tops.append(("the budget", definition.budget.at_most, definition.budget.then))
    for name, at_most, then in tops:
        if then == "SKIP" and least and int(at_most) < least:
            yield "LIMIT_BELOW_AWARD", f"{name} allows {at_most}, the least award is {least}."


def _name(limit: Limit) -> str:
    return f"the limit per {limit.per.lower()}"


def _multiplier(definition: Definition, around: Around) -> Iterator[Found]:
    if not definition.combination.stackable:
        yield "NEVER_AWARDS", "alone, without base awards, there is nothing to multiply."
        return
    bases = [
        live.definition.award
        for live in around.live
        if live.definition.combination.base and live.definition.award.type == definition.award.type
    ]
    if not bases:
        kind = definition.award.type
        yield "NOTHING_TO_MULTIPLY", f"no base promotion that is live gives {kind}."
    elif (definition.lines.include or definition.lines.exclude) and all(
        base.scope == "BASKET" or base.kind in ("FIXED", "BANDED") for base in bases
    ):
        text = "the base is given for the basket as a whole, which has no lines to multiply."
        yield "NOTHING_TO_MULTIPLY", text


def _beside(definition: Definition, around: Around) -> Iterator[Found]:
    """Yield what a definition has to do with the promotions that are live."""
    own, met = definition.combination, []
    for live in around.live:
        other = live.definition.combination
        if shared := sorted(set(definition.coupons) & set(live.definition.coupons)):
            yield "COUPON_SHARED", f"{live.code} has the coupon {shared[0]}, too."
        ends = live.definition.active_to
        over = ends is not None and ends <= around.at
        if over or not _meet(definition, live.definition, around.paths):
            continue
        alone = not other.stackable or (own.group is not None and own.group == other.group)
        if alone and other.priority > own.priority and _always(live.definition):
            text = f"wherever it could award, {live.code} (priority {other.priority}) does."
            yield "GIVES_WAY", text
        elif own.stackable and other.stackable and not alone and not (own.base or other.base):
            met.append(live.code)
    if not own.stackable and any(live.definition.combination.base for live in around.live):
        yield "PUSHES_OUT", "where it awards, nothing else does, the base included."
    if met:
        more = f" and {len(met) - 3} more" if len(met) > 3 else ""  # noqa: PLR2004
        text = f"the same people, time and lines earn by {', '.join(met[:3])}{more}, too."
        yield "OVERLAP", text


def _always(definition: Definition) -> bool:
    """Return whether a promotion awards on every purchase of a member that costs anything."""
    audience, award = definition.audience, definition.award
    asked = (
        *(definition.active_from, definition.active_to, definition.weekdays, definition.hours),
        *(audience.segments, audience.not_segments, audience.tiers, audience.stages),
        *(audience.partners, audience.outlets, audience.channels, definition.coupons),
        *(definition.lines.include, definition.lines.exclude, definition.condition),
        *(definition.minimum.amount, definition.minimum.quantity, definition.limits),
        *(definition.budget, definition.not_tenders),
    )
    return award.kind == "FIXED" and not any(asked)


def _meet(one: Definition, other: Definition, paths: Mapping[str, frozenset[str]]) -> bool:
    """Return whether one purchase may be met by both, as far as they say."""
    if (one.trigger, one.event) != (other.trigger, other.event):
        return False
    if one.active_to and other.active_from and one.active_to <= other.active_from:
        return False
    if other.active_to and one.active_from and other.active_to <= one.active_from:
        return False
    if bool(one.coupons) != bool(other.coupons):
        return False
    mine, theirs = one.audience, other.audience
    if set(mine.segments) & set(theirs.not_segments) or set(theirs.segments) & set(
        mine.not_segments
    ):
        return False
    pairs = (
        *((one.weekdays, other.weekdays), (one.coupons, other.coupons)),
        *((mine.tiers, theirs.tiers), (mine.stages, theirs.stages)),
        *((mine.partners, theirs.partners), (mine.outlets, theirs.outlets)),
        *((mine.channels, theirs.channels), (mine.segments, theirs.segments)),
    )
    if any(a and b and not set(a) & set(b) for a, b in pairs):
        return False
    return _lines_meet(one, other, paths)


def _lines_meet(one: Definition, other: Definition, paths: Mapping[str, frozenset[str]]) -> bool:
    """Return whether a line may count for both; a category meets what is below it."""
    mine, theirs = one.lines.include, other.lines.include
    for key in mine.keys() & theirs.keys():
        if key != "category" and not set(mine[key]) & set(theirs[key]):
            return False
    for here, there in ((mine, theirs), (theirs, mine)):
        wanted = set(there.get("category", ()))
        products = [*here.get("category", ()), *here.get("sku", ())]
        if not wanted or not products:
            continue
        below = any(code in wanted or wanted & paths.get(code, set()) for code in products)
        above = any(paths.get(code, set()) & set(products) for code in wanted)
        if not (below or above):
            return False
    return True


def _generous(definition: Definition, around: Around) -> Iterator[Found]:
    """Yield where the points are worth more of the price than the programme wants."""
    if definition.trigger != "PURCHASE" or around.worth is None or around.share is None:
        return
    award, minimum = definition.award, Decimal(definition.minimum.amount or 0)
    if award.kind == "FIXED" and not minimum:
        worth = around.worth * (award.points or 0)
        if worth >= 1 and not definition.lines.include:
            yield "NO_MINIMUM", f"the smallest purchase earns points worth {worth.normalize():f}."
        return
    shares = [worth / price for worth, price in _prices(definition, around, minimum) if price]
    percent = max(shares, default=Decimal(0)) * 100
    if percent > around.share:
        text = (
            f"its points are worth up to {percent:.1f} % of the price;"
            f" the programme warns above {around.share.normalize():f} %."
        )
        yield "EARNS_TOO_MUCH", text


def _prices(
    definition: Definition, around: Around, minimum: Decimal
) -> Iterator[tuple[Decimal, Decimal]]:
    """Yield what an award's points are worth, and the least price that they are given for."""
    award, worth = definition.award, around.worth or Decimal(0)
    if award.kind == "FIXED":
        yield worth * (award.points or 0), minimum
    elif award.kind == "PER_AMOUNT":
        yield worth * (award.points or 0), Decimal(award.per or 0)
    elif award.kind == "BANDED":
        for band in award.bands:
            price = Decimal(band.per) if band.per else max(Decimal(band.start), minimum)
            yield worth * band.points, price
    elif award.kind == "MULTIPLIER":
        for live in around.live:
            base = live.definition.award
            if live.definition.combination.base and base.kind == "PER_AMOUNT":
                extra = Decimal(award.factor or 1) * (base.points or 0)
                yield worth * extra, Decimal(base.per or 0)


def _left_open(definition: Definition) -> Iterator[Found]:
    """Yield what has no end: no cap, no date, no test."""
    award, audience = definition.award, definition.audience
    per_member = any(limit.per == "MEMBER" for limit in definition.limits)
    bounded = bool(definition.limits or definition.budget)
    if award.kind in ("FIXED", "VOUCHER", "TICKET"):
        if not (bounded or definition.trigger in ("ENROLMENT", "BIRTHDAY")):
            yield "NO_CAP", "nothing bounds how often a member gets it."
    elif not bounded:
        yield "NO_CAP", "nothing bounds what one purchase earns."
    if definition.active_to is None and not definition.combination.base:
        yield "NO_END", "the promotion runs until somebody ends it."
    if not definition.tests:
        yield "NO_TESTS", "no example shows what it is meant to give."
    if audience.guests and (audience.segments or per_member):
        yield "NO_GUESTS", "guests are in no segment and have no limits of their own."
