"""Does a version apply? Its conditions, cheapest first, and the lines that count."""

from collections.abc import Iterator
from datetime import datetime

from loyalty.expressions import Expression
from promotions.engine.definition import WEEKDAYS
from promotions.engine.facts import Facts
from promotions.engine.money import share_out, to_text
from promotions.engine.types import PIECE, Condition, Line, MemberFacts, NearMiss, Purchase
from promotions.engine.versions import Version


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
        return None if version.for_guests else "guests"
    if version.segments and version.segments.isdisjoint(member.segments):
        return "segments"
    if version.not_segments and not version.not_segments.isdisjoint(member.segments):
        return "not_segments"
    if version.tiers and member.tier not in version.tiers:
        return "tiers"
    if version.stages and member.stage not in version.stages:
        return "stages"
    return None


# What a member or a till could do something about: told as near misses, in this order. That a
# promotion is over, or for others, is nobody's near miss.
REASONS = (
    *("MINIMUM_AMOUNT", "MINIMUM_QUANTITY", "STEP", "CONDITION", "COUPONS", "WEEKDAYS", "HOURS"),
    *("OUTLETS", "CHANNELS", "PARTNERS", "TIERS", "STAGES", "LIMIT_REACHED", "BUDGET_EMPTY"),
    *("NOTHING_TO_MULTIPLY", "GAVE_WAY"),
)


def near_miss(version: Version, failed: str) -> NearMiss | None:
    """Return the near miss of a condition that failed, with what it wanted; None if it is none."""
    reason = failed.upper()
    if reason not in REASONS:
        return None
    wanted: object = getattr(version.definition.audience, failed, None)
    if failed == "hours":
        assert version.hours is not None
        wanted = ["–".join(each.isoformat("minutes") for each in version.hours)]
    elif failed in ("weekdays", "coupons"):
        wanted = getattr(version.definition, failed)
    assert isinstance(wanted, list)
    return NearMiss(version.promotion, version.number, reason, ", ".join(wanted)[:200])


def unmet(version: Version, facts: Facts) -> NearMiss | None:
    """Return the near miss of a version's expression, with its error if it had one; None if met."""
    if isinstance(version.condition, Expression):
        verdict = version.condition.evaluate(facts)
        if verdict.met:
            return None
        return NearMiss(version.promotion, version.number, "CONDITION", verdict.error)
    return NearMiss(version.promotion, version.number, "CONDITION", version.condition)


def _in_hours(version: Version, purchase: Purchase) -> bool:
    assert version.hours is not None
    start, end = version.hours
    now = purchase.local.time()
    return start <= now < end if start <= end else now >= start or now < end


def matches(version: Version, line: Line) -> bool:
    """Return whether a line counts: every included key has one of its values, no excluded one."""
    if not line.earns or line.gone:
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


def counts_by_line(purchase: Purchase, *, before: bool = False) -> list[int]:
    """Return what of each line counts before tenders: what is kept of it, less its tax.

    `before` takes what the lines cost before the basket's discount, where that is said.
    """
    counts = []
    for line in purchase.lines:
        whole = line.before if before and line.before is not None else line.net
        kept = 0 if line.gone else max(0, whole - line.refunded)
        counts.append(kept - line.tax * kept // line.net if line.tax and line.net else kept)
    return counts


def basis_by_line(version: Version, purchase: Purchase, counts: list[int]) -> list[int]:
    """Return each line's basis: what counts less its share of the tenders that do not earn.

    The shares are those of the purchase as it was paid, whatever came back since.
    """
    not_tenders = version.not_tenders.union(purchase.not_tenders)
    not_earning = sum(t.amount for t in purchase.tenders if t.type in not_tenders)
    if not not_earning:
        return counts
    nets = [line.net for line in purchase.lines]
    shares = share_out(min(not_earning, sum(nets)), nets)
    return [max(0, count - share) for count, share in zip(counts, shares, strict=True)]


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
        yield Condition("weekdays", definition.weekdays, WEEKDAYS[day], day in version.weekdays)
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
    held = set(member.segments) if member else set()
    if version.segments:
        found = sorted(version.segments & held)
        yield Condition("segments", sorted(version.segments), found, bool(found))
    if version.not_segments:
        found = sorted(version.not_segments & held)
        yield Condition("not_segments", sorted(version.not_segments), found, not found)
    if version.coupons:
        shown = sorted(version.coupons & set(purchase.coupons))
        yield Condition("coupons", sorted(version.coupons), shown, bool(shown))
    if version.include or version.exclude:
        counted = [line.number for line in purchase.lines if matches(version, line)]
        wanted_lines = {key: sorted(values)[:20] for key, values in version.include}
        yield Condition("lines", wanted_lines, counted, bool(counted))
    if version.minimum_amount or version.minimum_quantity:
        yield from _explain_minimum(version, purchase)
    if isinstance(version.condition, Expression):
        facts = Facts(purchase, member)
        seen = {name: _shown(facts.get(name)) for name in sorted(version.condition.asks)}
        met = version.condition.evaluate(facts).met
        yield Condition("condition", version.condition.text, seen, met)


def _explain_minimum(version: Version, purchase: Purchase) -> Iterator[Condition]:
    bases = basis_by_line(
        version, purchase, counts_by_line(purchase, before=bool(version.include or version.exclude))
    )
    counted = [place for place, line in enumerate(purchase.lines) if matches(version, line)]
    minimum, amount = version.definition.minimum, sum(bases[place] for place in counted)
    if minimum.amount:
        met = amount >= version.minimum_amount
        yield Condition("minimum_amount", minimum.amount, to_text(amount, purchase.currency), met)
    if minimum.quantity:
        quantity = sum(purchase.lines[place].quantity for place in counted)
        met = quantity >= version.minimum_quantity
        yield Condition("minimum_quantity", minimum.quantity, f"{quantity / PIECE:g}", met)


def _shown(value: object) -> object:
    """Return a fact as an explanation shows it: of many lines, how many there are."""
    return (
        f"{len(value)} lines"
        if isinstance(value, list) and value[:1] and isinstance(value[0], dict)
        else value
    )
