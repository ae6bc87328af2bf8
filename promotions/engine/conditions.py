"""Does a version apply? Its conditions, cheapest first, and the lines that count."""

from collections.abc import Iterator
from datetime import datetime

from promotions.engine.money import share_out, to_text
from promotions.engine.snapshot import Version
from promotions.engine.types import PIECE, Condition, Line, MemberFacts, NearMiss, Purchase


def is_live(version: Version, at: datetime) -> bool:
    """Return whether this version was in effect and its promotion LIVE at an instant."""
    for begin, end in version.live:  # noqa: SIM110 any() is three times slower here
        if begin <= at and (end is None or at < end):
            return True
    return False


def applies(version: Version, purchase: Purchase, member: MemberFacts | None) -> str | None:
    """Return the name of the first condition on time, place and person that fails, or None."""
    definition, at = version.definition, purchase.occurred_at
    if not is_live(version, at):
        return "status"
    if version.for_members_anywhere and member is not None:
        return None
    if (definition.active_from and at < definition.active_from) or (
        definition.active_to and at >= definition.active_to
    ):
        return "dates"
    if version.weekdays and purchase.local.weekday() not in version.weekdays:
        return "weekdays"
    if version.hours and not _in_hours(version, purchase):
        return "hours"
    if version.partners and purchase.partner not in version.partners:
        return "partners"
    if version.outlets and purchase.outlet not in version.outlets:
        return "outlets"
    if version.channels and purchase.channel not in version.channels:
        return "channels"
    if version.coupons and version.coupons.isdisjoint(purchase.coupons):
        return "coupons"
    if member is None:
        return None if definition.audience.guests else "guests"
    if version.tiers and member.tier not in version.tiers:
        return "tiers"
    if version.stages and member.stage not in version.stages:
        return "stages"
    return None


def _in_hours(version: Version, purchase: Purchase) -> bool:
    assert version.hours is not None
    start, end = version.hours
    now = purchase.local.time()
    return start <= now < end if start <= end else now >= start or now < end


def matches(version: Version, line: Line) -> bool:
    """Return whether a line counts: every included key has one of its values, no excluded one."""
    if not line.earns:
        return False
    for key, wanted in version.include:
        if wanted.isdisjoint(_values(line, key)):
            return False
    return all(wanted.isdisjoint(_values(line, key)) for key, wanted in version.exclude)


def _values(line: Line, key: str) -> tuple[str, ...]:
    if key == "category":
        return line.path
    if key == "sku":
        return (line.sku,) if line.sku is not None else ()
    if key == "brand":
        return (line.brand,) if line.brand is not None else ()
    value = line.attributes.get(key)
    if isinstance(value, list):
        return tuple(map(_text, value))
    return () if value is None else (_text(value),)


def _text(value: object) -> str:
    """Return an attribute's value as definitions write it: yes and no as JSON does."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def basis_by_line(version: Version, purchase: Purchase, nets: list[int]) -> list[int]:
    """Return each line's basis: its net less its share of the tenders that do not earn."""
    if not version.not_tenders or not purchase.tenders:
        return nets
    not_earning = sum(t.amount for t in purchase.tenders if t.type in version.not_tenders)
    shares = share_out(min(not_earning, sum(nets)), nets)
    return [max(0, net - share) for net, share in zip(nets, shares, strict=True)]


def short_of_minimum(
    version: Version, purchase: Purchase, amount: int, quantity: int
) -> NearMiss | None:
    """Return by how much the lines that count miss the version's minimum, or None."""
    if amount < version.minimum_amount:
        missing = to_text(version.minimum_amount - amount, purchase.currency)
        return NearMiss(version.promotion, version.number, "MINIMUM_AMOUNT", missing)
    if quantity < version.minimum_quantity:
        whole, part = divmod(version.minimum_quantity - quantity, PIECE)
        short = f"{whole}.{part:04}".rstrip("0").rstrip(".")
        return NearMiss(version.promotion, version.number, "MINIMUM_QUANTITY", short)
    return None


def explain(
    version: Version, purchase: Purchase, member: MemberFacts | None
) -> Iterator[Condition]:
    """Yield every condition that the version has, with what it wanted and what it saw."""
    definition = version.definition
    if definition.active_from or definition.active_to:
        begin, end = definition.active_from, definition.active_to
        at = purchase.occurred_at
        met = (not begin or at >= begin) and (not end or at < end)
        yield Condition("dates", [begin, end], at, met)
    if definition.weekdays:
        day = purchase.local.weekday()
        seen = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")[day]
        yield Condition("weekdays", definition.weekdays, seen, day in version.weekdays)
    if version.hours:
        now = purchase.local.time().isoformat("minutes")
        yield Condition("hours", [str(t) for t in version.hours], now, _in_hours(version, purchase))
    asked = (
        ("partners", version.partners, purchase.partner),
        ("outlets", version.outlets, purchase.outlet),
        ("channels", version.channels, purchase.channel),
        ("tiers", version.tiers, member.tier if member else None),
        ("stages", version.stages, member.stage if member else None),
    )
    for name, wanted, was in asked:
        if wanted:
            yield Condition(name, sorted(wanted), was, was in wanted)
    if version.coupons:
        shown = sorted(version.coupons & set(purchase.coupons))
        yield Condition("coupons", sorted(version.coupons), shown, bool(shown))
    if version.include or version.exclude:
        counted = [line.number for line in purchase.lines if matches(version, line)]
        wanted_lines = {key: sorted(values)[:20] for key, values in version.include}
        yield Condition("lines", wanted_lines, counted, bool(counted))
