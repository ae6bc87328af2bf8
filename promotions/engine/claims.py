"""A claim: what one version would give, kept within its limits; and which claims stand together."""

from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from promotions.engine.types import Ceilings, Use
from promotions.engine.versions import Counted, Version

# Points by line; None stands for the basket as a whole.
Shares = dict[int | None, int]


class Claim(msgspec.Struct):
    """What one version would give if it stood alone. `points` are the sum of its shares.

    `amount` is the money that counts for it, of its `basis` what limits leave. `quantity` counts
    vouchers or tickets. `remainder` is what its basis adds to the money carried over, where it
    is. `bound` says what kept it from giving anything.
    """

    version: Version
    basis: int
    multiplies: bool
    shares: Shares
    points: int
    uncapped: Shares
    amount: int
    quantity: int = 0
    remainder: int | None = None
    caps: tuple[str, ...] = ()
    bound: str | None = None

    @property
    def gives(self) -> bool:
        return bool(self.points or self.quantity)

    def give(self, shares: Shares) -> None:
        """Take shares as they are before any limit."""
        self.shares = self.uncapped = shares
        self.points = sum(shares.values())
        self.amount, self.caps, self.bound = self.basis, (), None


def cap(claim: Claim, ceilings: Ceilings, worth: Mapping[str, str]) -> None:
    """Keep a claim within its limits, and within what these leave it."""
    version = claim.version
    for each in version.caps:
        _limit(claim, each.measure, each.at_most, each.skip, "transaction")
    if not version.counted:
        return
    left = ceilings.get(version.id)
    for place, limit in enumerate(version.counted):
        if limit.measure == "MONEY" and _worth(version, worth) is None:
            _drop(claim, "BUDGET_EMPTY", "no rate for its points")
        most = left[place] if left else None
        if most is not None and claim.gives:
            measure, most = limit.measure, max(0, most)
            if measure == "MONEY":
                measure, most = "POINTS", points_worth(most, _worth(version, worth) or Decimal(1))
            of = (
                limit.per.lower() if limit.per != "MEMBER" else f"member and {limit.period.lower()}"
            )
            reason = "BUDGET_EMPTY" if limit.per == "BUDGET" else "LIMIT_REACHED"
            _limit(claim, measure, most, limit.skip, of, reason)


def _limit(
    claim: Claim, measure: str, most: int, skip: bool, of: str, reason: str = "LIMIT_REACHED"
) -> None:
    """Let a claim have at most so many uses, points, or minor units of the money that counts."""
    name = f"{measure.lower()} per {of}"
    if measure == "USES":
        if most < 1:
            _drop(claim, reason, name)
    elif measure == "POINTS":
        if claim.points > most:
            _reduce(claim, 0 if skip else most, reason, name)
    elif claim.amount > most:
        points = 0 if skip else claim.points * most // claim.amount
        claim.amount = most
        _reduce(claim, points, reason, name)


def _drop(claim: Claim, reason: str, name: str) -> None:
    claim.quantity = 0
    _reduce(claim, 0, reason, name)
    claim.bound = reason


def _reduce(claim: Claim, most: int, reason: str, name: str) -> None:
    """Cut points from the last line on, so that earlier lines keep theirs."""
    claim.caps += (f"{name}: {claim.points} → {most}",)
    left, shares = most, {}
    for line, points in claim.shares.items():
        if share := min(points, left):
            shares[line] = share
            left -= share
    claim.shares, claim.points = shares, most
    if not most:
        claim.bound = reason


def _worth(version: Version, worth: Mapping[str, str]) -> Decimal | None:
    value = worth.get(version.definition.award.type or "")
    return Decimal(value) if value and Decimal(value) > 0 else None


def cost_of(points: int, worth: Decimal) -> int:
    """Return what points cost, in minor units, rounded up: a budget of money is never passed."""
    return int((points * worth).to_integral_value(ROUND_CEILING))


def points_worth(minor: int, worth: Decimal) -> int:
    """Return the most points that cost at most so much."""
    return int((Decimal(minor) / worth).to_integral_value(ROUND_FLOOR))


def uses(claim: Claim, worth: Mapping[str, str]) -> Iterator[Use]:
    """Yield what a claim that stands uses up of each of its limits and of its budget."""
    version = claim.version
    for place, limit in enumerate(version.counted):
        amount = _used(claim, limit, worth)
        if amount:
            yield _use(version, place, limit.per, limit.period, limit.measure, amount)


def remainder(claim: Claim) -> Use | None:
    """Return what a claim adds to the money carried over to the member's next purchase.

    One that gave way to others, or that a limit dropped, leaves what was carried as it is.
    """
    if not claim.remainder:
        return None
    return _use(claim.version, -1, "MEMBER", "LIFE", "REMAINDER", claim.remainder)


def _use(version: Version, place: int, per: str, period: str, measure: str, amount: int) -> Use:
    return Use(version.id, version.promotion, place, per, period, measure, amount)


def _used(claim: Claim, limit: Counted, worth: Mapping[str, str]) -> int:
    if limit.measure == "USES":
        return 1
    if limit.measure == "POINTS":
        return claim.points
    if limit.measure == "AMOUNT":
        return claim.amount
    value = _worth(claim.version, worth)
    return cost_of(claim.points, value) if value else 0


def combine(claims: list[Claim]) -> list[Claim]:
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
