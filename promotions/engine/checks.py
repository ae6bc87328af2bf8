"""What a definition may not say, though each part of it is well formed."""

from datetime import UTC, datetime
from decimal import Decimal

from loyalty.dates import parse_duration
from promotions.engine.definition import Budget, Definition, Limit


class Invalid(ValueError):
    """A definition that contradicts itself; `pointer` names the part."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer


# One version that no process can read stops every sale, so none may come near the last year.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_NEEDS = {
    "FIXED": ("type", "points"),
    "PER_AMOUNT": ("type", "points", "per"),
    "MULTIPLIER": ("type", "factor"),
    "PER_ITEM": ("type", "points"),
    "BANDED": ("type", "bands"),
    "VOUCHER": ("voucher_type", "quantity"),
    "TICKET": ("sweepstake", "quantity"),
}
_PARTS = ("type", "points", "per", "factor", "bands", "voucher_type", "sweepstake", "quantity")


def check(definition: Definition) -> None:
    """Refuse what the shape alone lets pass.

    :raises Invalid: with the pointer of the part that is wrong.
    """
    _check_trigger(definition)
    _check_award(definition)
    for place, limit in enumerate(definition.limits):
        _check_limit(definition, limit, f"/limits/{place}")
        if any(_key(limit) == _key(other) for other in definition.limits[:place]):
            raise Invalid(f"/limits/{place}", "An earlier limit counts the same.")
    if definition.budget:
        _check_budget(definition, definition.budget)
    _check_time(definition)
    begins, ends = definition.active_from, definition.active_to
    if begins and ends and begins >= ends:
        raise Invalid("/active_to", "The promotion ends before it begins.")
    if definition.combination.base and definition.award.kind == "MULTIPLIER":
        raise Invalid("/combination/base", "A multiplier cannot be multiplied.")
    audience = definition.audience
    if audience.guests and (audience.tiers or audience.stages):
        raise Invalid("/audience/guests", "Guests have no tier and no stage.")
    if both := set(audience.segments) & set(audience.not_segments):
        message = f"{min(both)} is asked for and excluded."
        raise Invalid("/audience/not_segments", message)


def _check_time(definition: Definition) -> None:
    for name in ("effective_from", "active_from", "active_to"):
        instant = getattr(definition, name)
        if instant is not None and not EARLIEST <= instant < LATEST:
            raise Invalid(f"/{name}", "Instants lie between 2000 and 2100.")
    after = definition.expiry.after if definition.expiry else None
    for pointer, duration in (("/pending", definition.pending), ("/expiry/after", after)):
        if duration is None:
            continue
        try:
            parse_duration(duration)
        except ValueError as error:
            raise Invalid(pointer, f"{error}.") from None


def _check_trigger(definition: Definition) -> None:
    if definition.trigger == "EVENT" and definition.event is None:
        raise Invalid("/event", "A promotion on events names the event.")
    if definition.trigger != "EVENT" and definition.event is not None:
        raise Invalid("/event", f"{definition.trigger} takes no event.")
    if definition.trigger == "PURCHASE":
        return
    for name, given in (
        ("lines", bool(definition.lines.include or definition.lines.exclude)),
        ("minimum", bool(definition.minimum.amount or definition.minimum.quantity)),
        ("not_tenders", bool(definition.not_tenders)),
        ("coupons", bool(definition.coupons)),
    ):
        if given:
            raise Invalid(f"/{name}", f"Without a purchase there is no basket: no {name}.")
    if definition.award.kind not in ("FIXED", "VOUCHER", "TICKET"):
        message = f"{definition.award.kind} needs a basket; give FIXED, VOUCHER or TICKET."
        raise Invalid("/award/kind", message)
    if definition.audience.guests:
        raise Invalid("/audience/guests", "Only purchases are made by guests.")


def _check_award(definition: Definition) -> None:
    award = definition.award
    for name in _PARTS:
        wanted, given = name in _NEEDS[award.kind], bool(getattr(award, name))
        if wanted and not given:
            raise Invalid(f"/award/{name}", f"{award.kind} needs {name}.")
        if given and not wanted:
            raise Invalid(f"/award/{name}", f"{award.kind} takes no {name}.")
    if award.per is not None and Decimal(award.per) == 0:
        raise Invalid("/award/per", "A step of nothing never ends.")
    if award.factor is not None and Decimal(award.factor) <= 1:
        raise Invalid("/award/factor", "A multiplier is more than 1.")
    starts = [Decimal(band.start) for band in award.bands]
    if starts != sorted(set(starts)):
        raise Invalid("/award/bands", "Bands start higher and higher.")
    for place, band in enumerate(award.bands):
        if band.per is not None and Decimal(band.per) == 0:
            raise Invalid(f"/award/bands/{place}/per", "A step of nothing never ends.")
    if not award.gives_points and (definition.pending or definition.expiry):
        name = "pending" if definition.pending else "expiry"
        raise Invalid(f"/{name}", f"Only points have {name}; a {award.kind.lower()} has its own.")


def _key(limit: Limit) -> tuple[str, str | None, str]:
    return (limit.per, limit.period, limit.measure)


def _check_limit(definition: Definition, limit: Limit, pointer: str) -> None:
    _check_measure(definition, limit, pointer)
    if limit.per == "TRANSACTION":
        if limit.period is not None:
            raise Invalid(f"{pointer}/period", "One transaction has no period.")
        if limit.measure == "USES":
            message = "A promotion is used once per transaction as it is."
            raise Invalid(f"{pointer}/measure", message)
    elif limit.period is None:
        raise Invalid(f"{pointer}/period", f"A limit per {limit.per.lower()} needs a period.")
    if limit.measure == "AMOUNT" and definition.trigger != "PURCHASE":
        raise Invalid(f"{pointer}/measure", "Without a purchase there is no amount.")


def _check_budget(definition: Definition, budget: Budget) -> None:
    _check_measure(definition, budget, "/budget")


def _check_measure(definition: Definition, limit: Limit | Budget, pointer: str) -> None:
    if limit.measure in ("USES", "POINTS") and not isinstance(limit.at_most, int):
        what = "Uses are" if limit.measure == "USES" else "Points are"
        raise Invalid(f"{pointer}/at_most", f"{what} a whole number.")
    if Decimal(limit.at_most) == 0:
        raise Invalid(f"{pointer}/at_most", "A limit of nothing never awards.")
    if limit.measure != "USES" and not definition.award.gives_points:
        message = f"A {definition.award.kind.lower()} gives no points; limit its USES."
        raise Invalid(f"{pointer}/measure", message)
