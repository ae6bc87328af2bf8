"""What a purchase earns: candidates, conditions, awards, combination (docs/evaluation.md)."""

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

import msgspec

from promotions.engine import conditions
from promotions.engine.snapshot import Snapshot, Version
from promotions.engine.types import (
    NEAR_MISSES_MAX,
    PIECE,
    Award,
    CouponUse,
    Evaluation,
    Explanation,
    MemberFacts,
    NearMiss,
    Purchase,
)

_ROUNDING = {"FLOOR": ROUND_FLOOR, "HALF_UP": ROUND_HALF_UP, "CEILING": ROUND_CEILING}
# Points by line; None stands for the basket as a whole.
Shares = dict[int | None, int]


class Claim(msgspec.Struct):
    """What one version would give if it stood alone. `points` are the sum of its shares."""

    version: Version
    basis: int
    multiplies: bool
    shares: Shares
    points: int
    uncapped: Shares
    caps: tuple[str, ...] = ()

    def give(self, shares: Shares) -> None:
        """Take shares as they are before any limit."""
        self.shares = self.uncapped = shares
        self.points = sum(shares.values())
        self.caps = ()


def evaluate(
    purchase: Purchase,
    member: MemberFacts | None,
    snapshot: Snapshot,
    *,
    ceilings: Mapping[int, int] | None = None,
    explain: bool = False,
) -> Evaluation:
    """Return what a purchase earns under the versions of a snapshot; `member` is None for a guest.

    `ceilings` are the most points that versions may give, by id, where a limit or budget granted
    less than was wanted. The order of the versions never matters.
    """
    claims: list[Claim] = []
    misses: list[NearMiss] = []
    nets = [line.net for line in purchase.lines]
    for version, places in snapshot.candidates(purchase, member):
        if conditions.applies(version, purchase, member) is None:
            _claim(version, purchase, nets, places, claims, misses)
    standing = _stand(purchase, claims, ceilings)
    misses.sort(key=lambda miss: (miss.promotion, miss.version))
    awards = tuple(award for claim in standing for award in _awards(claim))
    return Evaluation(
        awards=awards,
        near_misses=tuple(misses[:NEAR_MISSES_MAX]),
        coupons=_coupons(purchase, standing) if purchase.coupons else (),
        explanations=tuple(_explain(claim, purchase, member) for claim in standing)
        if explain
        else (),
    )


def _claim(
    version: Version,
    purchase: Purchase,
    nets: list[int],
    places: list[int] | None,
    claims: list[Claim],
    misses: list[NearMiss],
) -> None:
    """Add what a version would give; if its minimum is missed, add by how much."""
    counted = places
    if counted is None:
        counted = [p for p, line in enumerate(purchase.lines) if conditions.matches(version, line)]
    if not counted:
        return
    bases = conditions.basis_by_line(version, purchase, nets) if version.not_tenders else nets
    basis = sum([bases[place] for place in counted])
    if version.minimum_amount or version.minimum_quantity:
        quantity = sum(purchase.lines[place].quantity for place in counted)
        if miss := conditions.short_of_minimum(version, purchase, basis, quantity):
            misses.append(miss)
            return
    kind = version.definition.award.kind
    shares = _AWARDS[kind](version, purchase, counted, bases)
    points = sum(shares.values())
    claims.append(Claim(version, basis, kind == "MULTIPLIER", shares, points, shares))


def _fixed(version: Version, purchase: Purchase, counted: list[int], bases: list[int]) -> Shares:
    return {None: version.definition.award.points or 0}


def _per_amount(
    version: Version, purchase: Purchase, counted: list[int], bases: list[int]
) -> Shares:
    """Give points for each step of money: whole steps of the line, or of all lines together."""
    award = version.definition.award
    points = award.points or 0
    if award.scope == "BASKET":
        steps = _steps(sum(bases[place] for place in counted), version.per, award.rounding)
        return {None: points * steps}
    shares: Shares = {}
    for place in counted:
        if steps := _steps(bases[place], version.per, award.rounding):
            shares[purchase.lines[place].number] = points * steps
    return shares


def _steps(basis: int, per: int, rounding: str) -> int:
    if rounding == "FLOOR":
        return basis // per
    if rounding == "CEILING":
        return -(-basis // per)
    return (2 * basis + per) // (2 * per)


def _per_item(version: Version, purchase: Purchase, counted: list[int], bases: list[int]) -> Shares:
    points = version.definition.award.points or 0
    pieces = {purchase.lines[p].number: purchase.lines[p].quantity // PIECE for p in counted}
    return {number: points * count for number, count in pieces.items() if count}


def _banded(version: Version, purchase: Purchase, counted: list[int], bases: list[int]) -> Shares:
    """Give what the highest band says that the lines that count reach together."""
    basis = sum(bases[place] for place in counted)
    reached = [band for band in version.bands if band[0] <= basis]
    if not reached:
        return {}
    _, points, per = reached[-1]
    rounding = version.definition.award.rounding
    return {None: points * _steps(basis, per, rounding) if per else points}


def _nothing_yet(
    version: Version, purchase: Purchase, counted: list[int], bases: list[int]
) -> Shares:
    """A multiplier's points follow from the base awards, once these are known."""
    return {}


_AWARDS = {
    "FIXED": _fixed,
    "PER_AMOUNT": _per_amount,
    "PER_ITEM": _per_item,
    "BANDED": _banded,
    "MULTIPLIER": _nothing_yet,
}


def _stand(
    purchase: Purchase, claims: list[Claim], ceilings: Mapping[int, int] | None
) -> list[Claim]:
    """Return the claims that award, each within its limits."""
    for claim in claims:
        if not claim.multiplies:
            _cap(claim, ceilings)
    # A base that its limits dropped is not there to be multiplied, before limits or after.
    left = [claim for claim in claims if claim.multiplies or claim.points]
    while True:
        _multiply(purchase, left, ceilings)
        awarding = [claim for claim in left if claim.points]
        standing = _combine(awarding)
        if len(standing) == len(awarding):
            return standing
        # A multiplier multiplies the base awards that stand, not those that gave way. One that is
        # left with nothing awards nothing, so it may not keep others from awarding.
        _multiply(purchase, standing, ceilings)
        idle = {claim.version.id for claim in standing if not claim.points}
        if not idle:
            return standing
        left = [claim for claim in left if claim.version.id not in idle]


def _multiply(purchase: Purchase, claims: list[Claim], ceilings: Mapping[int, int] | None) -> None:
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
        before = claim.version.definition.combination.multiply == "BEFORE"
        everywhere = not claim.version.include and not claim.version.exclude
        counted = {x.number for x in purchase.lines if conditions.matches(claim.version, x)}
        base: Shares = {}
        for other in bases:
            if other.version.definition.award.type == award.type:
                for line, points in (other.uncapped if before else other.shares).items():
                    if line in counted or (line is None and everywhere):
                        base[line] = base.get(line, 0) + points
        if award.scope == "BASKET":
            base = {None: sum(base.values())}
        factor, rounding = claim.version.extra_factor, _ROUNDING[award.rounding]
        extras = {
            line: extra
            for line, points in base.items()
            if (extra := int((Decimal(points) * factor).to_integral_value(rounding)))
        }
        claim.give(extras)
        _cap(claim, ceilings)


def _cap(claim: Claim, ceilings: Mapping[int, int] | None) -> None:
    """Keep a claim within its limits."""
    for measure, at_most, skip in claim.version.limits:
        # POINTS limits the award, AMOUNT the money it counts, as a share of its points.
        if measure == "POINTS":
            _reduce(claim, at_most, skip=skip, name="per transaction")
        elif claim.basis > at_most:
            most = claim.points * at_most // claim.basis
            _reduce(claim, most, skip=skip, name="amount per transaction")
    if ceilings and claim.version.id in ceilings:
        _reduce(claim, ceilings[claim.version.id], skip=False, name="granted")


def _reduce(claim: Claim, most: int, *, skip: bool, name: str) -> None:
    if claim.points <= most:
        return
    claim.caps += (f"{name}: {claim.points} → {0 if skip else most}",)
    left = 0 if skip else most
    shares: Shares = {}
    for line, points in claim.shares.items():
        if share := min(points, left):
            shares[line] = share
            left -= share
    claim.shares, claim.points = shares, sum(shares.values())


def _combine(claims: list[Claim]) -> list[Claim]:
    """Return the claims that stand: by priority, then what gives most, then code.

    One that does not stack stands only alone; of a group only the first stands.
    """
    standing: list[Claim] = []
    groups: set[str] = set()
    for claim in sorted(claims, key=_rank):
        combination = claim.version.definition.combination
        if not combination.stackable:
            if not standing:
                return [claim]
            continue
        if combination.group is not None:
            if combination.group in groups:
                continue
            groups.add(combination.group)
        standing.append(claim)
    return standing


def _rank(claim: Claim) -> tuple[int, int, str, int]:
    version = claim.version
    priority = version.definition.combination.priority
    return (-priority, -claim.points, version.promotion, version.number)


def _awards(claim: Claim) -> list[Award]:
    version = claim.version
    definition = version.definition
    return [
        Award(
            version.id,
            version.promotion,
            version.number,
            line,
            definition.award.type,
            points,
            definition.pending,
            version.expiry,
        )
        for line, points in claim.shares.items()
    ]


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
