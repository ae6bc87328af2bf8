"""What a purchase or an occasion earns: candidates, conditions, awards, combination.

`docs/evaluation.md` states the algorithm with worked tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from promotions.engine import conditions
from promotions.engine.awards import SHARES
from promotions.engine.claims import Claim, Shares, cap, combine, remainder, uses
from promotions.engine.facts import Facts
from promotions.engine.money import to_text
from promotions.engine.snapshot import Snapshot
from promotions.engine.types import (
    NEAR_MISSES_MAX,
    Award,
    Ceilings,
    CouponUse,
    Evaluation,
    Explanation,
    MemberFacts,
    NearMiss,
    Purchase,
    Reward,
    Use,
)
from promotions.engine.versions import Version

_ROUNDING = {"FLOOR": ROUND_FLOOR, "HALF_UP": ROUND_HALF_UP, "CEILING": ROUND_CEILING}
_NO_CEILINGS: Ceilings = {}


@dataclass(slots=True)
class _Case:
    """One evaluation under way."""

    purchase: Purchase
    member: MemberFacts | None
    ceilings: Ceilings
    counts: list[int]
    counts_before: list[int]
    facts: Facts
    carried: Mapping[str, int] | None
    claims: list[Claim] = field(default_factory=list)
    misses: list[NearMiss] = field(default_factory=list)

    def miss(self, version: Version, reason: str, missing: str | None = None) -> None:
        self.misses.append(NearMiss(version.promotion, version.number, reason, missing))


def evaluate(
    purchase: Purchase,
    member: MemberFacts | None,
    snapshot: Snapshot,
    *,
    ceilings: Ceilings | None = None,
    explain: bool = False,
) -> Evaluation:
    """Return what a purchase earns under the versions of a snapshot; `member` is None for a guest.

    A purchase with another trigger is an occasion without lines: an event, an enrolment.
    `ceilings` are what limits and budgets leave for versions. The order of the versions never
    matters.
    """
    counts = conditions.counts_by_line(purchase)
    lowered = any(line.before is not None for line in purchase.lines)
    before = conditions.counts_by_line(purchase, before=True) if lowered else counts
    facts = Facts(purchase, member)
    carried = member.carried if member is not None else None
    case = _Case(purchase, member, ceilings or _NO_CEILINGS, counts, before, facts, carried)
    for version, places in snapshot.candidates(purchase, member):
        if purchase.base_only and not version.definition.combination.base:
            continue
        failed = conditions.applies(version, purchase, member)
        if failed is None:
            _claim(case, version, places)
        elif miss := conditions.near_miss(version, failed):
            case.misses.append(miss)
    standing = _stand(case)
    return Evaluation(
        awards=tuple(award for claim in standing for award in _awards(claim)),
        near_misses=_near_misses(case, standing),
        rewards=tuple(_reward(claim) for claim in standing if claim.quantity),
        uses=_uses(case, standing),
        coupons=_coupons(purchase, standing) if purchase.coupons else (),
        explanations=tuple(_explain(claim, purchase, member) for claim in standing)
        if explain
        else (),
    )


def _claim(case: _Case, version: Version, places: list[int] | None) -> None:
    """Add what a version would give; where it asks for more than there is, a near miss."""
    if version.definition.trigger != "PURCHASE":
        if version.condition is None or not (miss := conditions.unmet(version, case.facts)):
            _add(case, version, [], [])
        else:
            case.misses.append(miss)
        return
    lines, counted = case.purchase.lines, places
    if counted is None:
        counted = [p for p, line in enumerate(lines) if conditions.matches(version, line)]
    if not counted:
        return
    bases = case.counts_before if version.include or version.exclude else case.counts
    if version.not_tenders or case.purchase.not_tenders:
        bases = conditions.basis_by_line(version, case.purchase, bases)
    if version.minimum_amount or version.minimum_quantity:
        basis = sum([bases[place] for place in counted])
        quantity = sum(lines[place].quantity for place in counted)
        if miss := conditions.short_of_minimum(version, case.purchase, basis, quantity):
            case.misses.append(miss)
            return
    if version.condition is not None and (miss := conditions.unmet(version, case.facts)):
        case.misses.append(miss)
        return
    _add(case, version, counted, bases)


def _add(case: _Case, version: Version, counted: list[int], bases: list[int]) -> None:
    award = version.definition.award
    basis = sum([bases[place] for place in counted])
    carried = None
    if version.carries and case.carried is not None:
        carried = case.carried.get(version.promotion, 0)
    kind = award.kind
    shares = SHARES[kind](version, case.purchase, counted, bases, carried or 0)
    points = sum(shares.values())
    quantity = award.quantity or 0
    claim = Claim(version, basis, kind == "MULTIPLIER", shares, points, shares, basis, quantity)
    if carried is not None:
        claim.remainder = basis - points // (award.points or 1) * version.per
    case.claims.append(claim)


def _stand(case: _Case) -> list[Claim]:
    """Return the claims that award, each within its limits."""
    worth = case.purchase.worth
    for claim in case.claims:
        version = claim.version
        if (version.caps or version.counted) and not claim.multiplies and claim.gives:
            cap(claim, case.ceilings, worth)
    # A base that its limits dropped is not there to be multiplied, before limits or after.
    left = [c for c in case.claims if c.points or c.multiplies or c.quantity]
    while True:
        _multiply(case, left)
        awarding = [claim for claim in left if claim.points or claim.quantity]
        standing = combine(awarding)
        if len(standing) == len(awarding):
            return standing
        # A multiplier multiplies the base awards that stand, not those that gave way. One that is
        # left with nothing awards nothing, so it may not keep others from awarding.
        _multiply(case, standing)
        idle = {claim.version.id for claim in standing if not claim.gives}
        if not idle:
            return standing
        left = [claim for claim in left if claim.version.id not in idle]


def _multiply(case: _Case, claims: list[Claim]) -> None:
    """Give each multiplier its extra, base × (factor − 1), of the base awards among `claims`.

    With line conditions it multiplies the base points of the lines that count; without, all.
    BEFORE takes the base as it was before its own limits, AFTER as they left it.
    """
    multipliers = [claim for claim in claims if claim.multiplies]
    if not multipliers:
        return
    bases = [claim for claim in claims if claim.version.definition.combination.base]
    for claim in multipliers:
        award = claim.version.definition.award
        base = _base_of(claim, bases, case.purchase)
        if award.scope == "BASKET":
            base = {None: sum(base.values())}
        factor, rounding = claim.version.extra_factor, _ROUNDING[award.rounding]
        extras = {
            line: extra
            for line, points in base.items()
            if (extra := int((Decimal(points) * factor).to_integral_value(rounding)))
        }
        claim.give(extras)
        if claim.gives:
            cap(claim, case.ceilings, case.purchase.worth)


def _base_of(claim: Claim, bases: list[Claim], purchase: Purchase) -> Shares:
    """Return the base points of its type that a multiplier multiplies, by line."""
    award = claim.version.definition.award
    before = claim.version.definition.combination.multiply == "BEFORE"
    everywhere = not claim.version.include and not claim.version.exclude
    counted = {x.number for x in purchase.lines if conditions.matches(claim.version, x)}
    base: Shares = {}
    for other in bases:
        if other.version.definition.award.type == award.type:
            for line, points in (other.uncapped if before else other.shares).items():
                if line in counted or (line is None and everywhere):
                    base[line] = base.get(line, 0) + points
    return base


def _near_misses(case: _Case, standing: list[Claim]) -> tuple[NearMiss, ...]:
    """Return what was close, by what it lacked and then by code; at most 20."""
    if len(standing) < len(case.claims):
        stood = {claim.version.id for claim in standing}
        for claim in case.claims:
            version = claim.version
            if version.id in stood:
                continue
            if claim.bound:
                case.miss(version, claim.bound)
            elif claim.multiplies and not claim.points:
                case.miss(version, "NOTHING_TO_MULTIPLY")
            elif claim.gives:
                case.miss(version, "GAVE_WAY")
            else:
                case.miss(version, "STEP", _to_first_step(claim, case.purchase))
    misses = case.misses
    if not misses:
        return ()
    misses.sort(key=lambda miss: (_RANK[miss.reason], miss.promotion, miss.version))
    return tuple(misses[:NEAR_MISSES_MAX])


_RANK = {reason: place for place, reason in enumerate(conditions.REASONS)}


def _to_first_step(claim: Claim, purchase: Purchase) -> str | None:
    """Return the money that a claim lacks to give anything, where it is a matter of money."""
    award = claim.version.definition.award
    if award.kind == "PER_AMOUNT" and award.scope == "BASKET":
        return to_text(max(0, claim.version.per - claim.basis), purchase.currency)
    if award.kind == "BANDED":
        return to_text(max(0, claim.version.bands[0][0] - claim.basis), purchase.currency)
    return None


def _uses(case: _Case, standing: list[Claim]) -> tuple[Use, ...]:
    worth = case.purchase.worth
    found = [use for c in standing if c.version.counted for use in uses(c, worth)]
    if case.carried is not None:
        stood = {claim.version.id for claim in standing}
        for claim in case.claims:
            if claim.version.id in stood or not claim.uncapped:
                found += [use] if (use := remainder(claim)) else []
    return tuple(found)


def _awards(claim: Claim) -> list[Award]:
    version, definition = claim.version, claim.version.definition
    kind = definition.award.type
    if kind is None:
        return []
    return [
        Award(
            version.id,
            version.promotion,
            version.number,
            line,
            kind,
            points,
            definition.pending,
            version.expiry,
        )
        for line, points in claim.shares.items()
    ]


def _reward(claim: Claim) -> Reward:
    version, award = claim.version, claim.version.definition.award
    code = award.voucher_type or award.sweepstake
    assert code is not None
    number = version.number
    return Reward(version.id, version.promotion, number, award.kind, code, claim.quantity)


def _coupons(purchase: Purchase, standing: list[Claim]) -> tuple[CouponUse, ...]:
    used = {code for claim in standing for code in claim.version.coupons}
    return tuple(
        CouponUse(code, code in used, None if code in used else "NOTHING_AWARDED")
        for code in purchase.coupons
    )


def _explain(claim: Claim, purchase: Purchase, member: MemberFacts | None) -> Explanation:
    award = claim.version.definition.award
    steps = [
        f"line {line}: {points}" if line is not None else f"basket: {points}"
        for line, points in claim.shares.items()
    ]
    return Explanation(
        claim.version.id,
        tuple(conditions.explain(claim.version, purchase, member)),
        claim.basis,
        tuple(steps),
        f"{award.rounding} per {award.scope.lower()}",
        claim.caps,
    )
