"""A promotion's version as the engine works with it: sets in place of lists, minor units."""

from collections.abc import Iterable
from datetime import datetime, time
from decimal import Decimal
from functools import partial

import msgspec

from loyalty.expressions import BadExpression, Expression, Names
from loyalty.expressions import compile as compile_expression
from promotions.engine.definition import WEEKDAYS, Definition
from promotions.engine.facts import Schemas, names_of
from promotions.engine.money import to_minor
from promotions.engine.types import PIECE


class Cap(msgspec.Struct, frozen=True):
    """A limit of one transaction, in points or minor units."""

    measure: str
    at_most: int
    skip: bool


class Counted(msgspec.Struct, frozen=True):
    """A limit or budget that is counted over transactions: per MEMBER, PROGRAM or BUDGET."""

    per: str
    period: str
    measure: str
    at_most: int
    skip: bool


class Version(msgspec.Struct, frozen=True):
    """One version of a promotion, ready to be evaluated.

    `live` are the periods (from inclusive, to exclusive or open) in which this version was the
    one in effect and the promotion was LIVE. A condition that no longer compiles is the sentence
    that says why; it is never met.
    """

    id: int
    promotion: str
    number: int
    live: tuple[tuple[datetime, datetime | None], ...]
    definition: Definition
    include: tuple[tuple[str, frozenset[str]], ...]
    exclude: tuple[tuple[str, frozenset[str]], ...]
    weekdays: frozenset[int]
    hours: tuple[time, time] | None
    segments: frozenset[str]
    not_segments: frozenset[str]
    tiers: frozenset[str]
    stages: frozenset[str]
    partners: frozenset[str]
    outlets: frozenset[str]
    channels: frozenset[str]
    coupons: frozenset[str]
    not_tenders: frozenset[str]
    minimum_amount: int
    minimum_quantity: int
    condition: Expression | str | None
    per: int
    extra_factor: Decimal
    bands: tuple[tuple[int, int, int], ...]
    caps: tuple[Cap, ...]
    counted: tuple[Counted, ...]
    expiry: str | None
    one_key: bool
    for_members_anywhere: bool
    for_guests: bool
    carries: bool

    @property
    def asks(self) -> frozenset[str]:
        """The names that its condition asks for."""
        return self.condition.asks if isinstance(self.condition, Expression) else frozenset()


def compile_version(  # The facts of a stored row.
    *,
    id: int,  # noqa: A002 the row's word
    promotion: str,
    number: int,
    live: Iterable[tuple[datetime, datetime | None]],
    definition: Definition,
    currency: str,
    schemas: Schemas | None = None,
) -> Version:
    """Return a definition as the engine works with it; amounts are in minor units of `currency`."""
    audience, award, lines = definition.audience, definition.award, definition.lines
    hours, expiry = definition.hours, definition.expiry
    minor = partial(_minor, currency=currency)
    condition = _condition(definition, schemas or Schemas())
    counted = _counted(definition, currency)
    return Version(
        id=id,
        promotion=promotion,
        number=number,
        live=tuple(live),
        definition=definition,
        include=tuple((key, frozenset(values)) for key, values in lines.include.items()),
        exclude=tuple((key, frozenset(values)) for key, values in lines.exclude.items()),
        weekdays=frozenset(WEEKDAYS.index(day) for day in definition.weekdays),
        hours=(hours.start, hours.end) if hours else None,
        segments=frozenset(audience.segments),
        not_segments=frozenset(audience.not_segments),
        tiers=frozenset(audience.tiers),
        stages=frozenset(audience.stages),
        partners=frozenset(audience.partners),
        outlets=frozenset(audience.outlets),
        channels=frozenset(audience.channels),
        coupons=frozenset(definition.coupons),
        not_tenders=frozenset(definition.not_tenders),
        minimum_amount=minor(definition.minimum.amount),
        minimum_quantity=int(Decimal(definition.minimum.quantity or 0) * PIECE),
        condition=condition,
        per=minor(award.per),
        extra_factor=Decimal(award.factor or 1) - 1,
        bands=tuple((minor(b.start), b.points, minor(b.per)) for b in award.bands),
        caps=tuple(
            Cap(limit.measure, _at_most(limit, currency), limit.then == "SKIP")
            for limit in definition.limits
            if limit.per == "TRANSACTION"
        ),
        counted=counted,
        expiry=f"{expiry.after}/{expiry.start}/{expiry.round_up}" if expiry else None,
        # Two short cuts: the index alone tells which lines count; nothing but LIVE is asked.
        one_key=len(lines.include) == 1
        and not lines.exclude
        and not definition.coupons
        and not audience.segments
        and not lines.include.keys() - {"sku", "category", "brand"},
        for_members_anywhere=not _asks_anything(definition),
        for_guests=_for_guests(definition, condition, counted),
        carries=award.kind == "PER_AMOUNT"
        and award.scope == "BASKET"
        and award.rounding == "FLOOR",
    )


def _minor(text: str | None, currency: str) -> int:
    return to_minor(text, currency) if text else 0


def _asks_anything(definition: Definition) -> bool:
    """Return whether a version asks for more of time, place and person than to be LIVE."""
    audience = definition.audience
    return bool(
        definition.active_from
        or definition.active_to
        or definition.weekdays
        or definition.hours
        or audience.segments
        or audience.not_segments
        or audience.tiers
        or audience.stages
        or audience.partners
        or audience.outlets
        or audience.channels
        or definition.coupons
    )


def _for_guests(
    definition: Definition, condition: Expression | str | None, counted: tuple[Counted, ...]
) -> bool:
    """Return whether a guest may be told of a version: it asks for nothing a guest has not."""
    audience = definition.audience
    asks = condition.asks if isinstance(condition, Expression) else frozenset()
    return (
        audience.guests
        and not audience.segments
        and not any(limit.per == "MEMBER" for limit in counted)
        and not any(
            name.startswith("member.") for name in asks - {"member.tier", "member.segments"}
        )
    )


def condition_names(definition: Definition, schemas: Schemas) -> Names:
    """Return the names that a definition's condition may ask for."""
    return names_of(definition.trigger, definition.event, definition.condition or "", schemas)


def _condition(definition: Definition, schemas: Schemas) -> Expression | str | None:
    if definition.condition is None:
        return None
    try:
        return compile_expression(definition.condition, condition_names(definition, schemas))
    except BadExpression as error:
        # It compiled when it was saved; a schema changed since. The promotion stays, unmet.
        return error.message


def _at_most(limit: object, currency: str) -> int:
    measure, at_most = getattr(limit, "measure"), getattr(limit, "at_most")  # noqa: B009
    return to_minor(str(at_most), currency) if measure in ("AMOUNT", "MONEY") else int(at_most)


def _counted(definition: Definition, currency: str) -> tuple[Counted, ...]:
    """Return what is counted over transactions: limits in their order, the budget last."""
    counted = [
        Counted(
            limit.per,
            limit.period or "",
            limit.measure,
            _at_most(limit, currency),
            limit.then == "SKIP",
        )
        for limit in definition.limits
        if limit.per != "TRANSACTION"
    ]
    if budget := definition.budget:
        skip = budget.then == "SKIP"
        at_most = _at_most(budget, currency)
        counted.append(Counted("BUDGET", "LIFE", budget.measure, at_most, skip))
    return tuple(counted)
