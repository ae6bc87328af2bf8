"""What a partner is told to be: plain values that compare by what they say. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from loyalty.errors import FieldError


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class OutletContent:
    """A shop, restaurant or web site that takes part."""

    code: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactContent:
    """A person or desk."""

    role: str
    name: str
    email: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateContent:
    """A rate and when it is in force; without an end, until another one begins."""

    kind: str
    point_type: str
    rate: Decimal
    valid_from: datetime
    valid_to: datetime | None = None

    @property
    def of(self) -> tuple[str, str]:
        """What it is a rate of: one is in force at a time."""
        return self.kind, self.point_type

    def holds(self, at: datetime) -> bool:
        """Whether it is in force at an instant."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeContent:
    """How points are taken for the partner's own units; amounts in points."""

    unit: str
    minimum: int
    maximum: int | None
    step: int
    fee: int
    account_format: str
    fulfilment: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerContent:
    """A partner, whole."""

    name: str
    kind: str
    status: str
    currency: str
    outlets: tuple[OutletContent, ...] = ()
    contacts: tuple[ContactContent, ...] = ()
    rates: tuple[RateContent, ...] = ()
    exchange: ExchangeContent | None = None


def rate_faults(rates: tuple[RateContent, ...]) -> list[FieldError]:
    """Return which rates end before they begin, or are in force at the same time as another."""
    errors = []
    for place, rate in enumerate(rates):
        if rate.valid_to is not None and rate.valid_to <= rate.valid_from:
            message = "The rate ends before it begins."
            errors.append(FieldError(f"/rates/{place}/to", "OUT_OF_RANGE", message))
        for other in rates[:place]:
            if rate.of == other.of and _overlap(rate, other):
                message = "Another rate of this kind and type is in force at the same time."
                errors.append(FieldError(f"/rates/{place}", "OVERLAP", message))
    return errors


def _overlap(one: RateContent, other: RateContent) -> bool:
    return (one.valid_to is None or other.valid_from < one.valid_to) and (
        other.valid_to is None or one.valid_from < other.valid_to
    )


def changed_past(
    stand: tuple[RateContent, ...], wanted: tuple[RateContent, ...], at: datetime
) -> RateContent | None:
    """Return a rate that was in force before `at` and would not have been; None if all stand.

    Where nothing was in force, a rate of the past may be added.
    """
    for rate in stand:
        if rate.valid_from >= at:
            continue
        if not any(_keeps(rate, other, at) for other in wanted):
            return rate
    return None


def _keeps(rate: RateContent, other: RateContent, at: datetime) -> bool:
    """Whether the other is the rate itself, as far as it has been in force."""
    if (rate.of, rate.rate, rate.valid_from) != (other.of, other.rate, other.valid_from):
        return False
    if rate.valid_to == other.valid_to:
        return True
    ended = rate.valid_to is not None and rate.valid_to <= at
    return not ended and (other.valid_to is None or other.valid_to >= at)
