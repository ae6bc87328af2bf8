"""What every posting needs of the programme, kept by each process for one epoch."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal
from threading import Lock
from zoneinfo import ZoneInfo

import msgspec

from ledger.errors import NoRate, PointTypeUnknown
from ledger.models import PointType, PointValue
from loyalty.models import CurrencyRate, Program
from loyalty.money import places
from members.ladder import Definition, Ladder, Measure, compile_ladder
from members.models import LadderVersion, Tier
from members.queries.stages import permissions
from members.stages import Permissions
from members.thresholds import Limits
from partners.models import Outlet, Partner
from partners.queries import ExchangeFacts, exchange_facts


@dataclass(frozen=True, slots=True)
class Rate:
    """The money that one smallest unit of a point type is worth in a period."""

    currency: str
    value: Decimal
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """Units of the programme's currency for one unit of another, in a period."""

    rate: Decimal
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class Basis:
    """What of a purchase counts for promotions, where programmes differ; `Program` explains."""

    points_paid: bool = True
    tax: bool = True
    basket_discount_lowers_lines: bool = True
    not_earning: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PointTypeFacts:
    """A point type as postings use it."""

    id: int
    code: str
    redeemable: bool
    qualifying: bool
    expiry: str
    minimum: int
    step: int
    daily_limit: int | None
    debt_policy: str
    zero_earn_is_activity: bool
    active: bool
    rates: tuple[Rate, ...]

    def rate(self, currency: str, at: datetime) -> Decimal:
        """Return the money value of one smallest unit in `currency` at an instant.

        :raises NoRate: if none is in force.
        """
        for rate in self.rates:
            begun = rate.valid_from <= at
            if rate.currency == currency and begun and (not rate.valid_to or at < rate.valid_to):
                return rate.value
        raise NoRate(currency=currency, at=at)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What every posting needs of the programme; each process keeps it for one epoch."""

    epoch: int
    zone: ZoneInfo
    currency: str
    accepted_lateness: timedelta
    future_tolerance: timedelta
    offline_window: timedelta
    offline_floor: Decimal | None
    claim_window: timedelta
    redemption_grace: timedelta | None
    pin_above: Limits
    pin_above_at_most: Decimal | None
    lost_card_grace: timedelta
    point_types: Mapping[int, PointTypeFacts]
    outlets: frozenset[tuple[int, str]]
    exchanges: Mapping[str, ExchangeFacts]
    stages: Mapping[str, Permissions]
    base_tier: str
    ladders: tuple[Ladder, ...]
    partners: Mapping[str, int] = field(default_factory=dict)
    carries_remainders: bool = False
    basis: Basis = Basis()
    returns_without_original: str = Program.ReturnsWithoutOriginal.REFUSE
    exchange_rates: Mapping[str, tuple[ExchangeRate, ...]] = field(default_factory=dict)

    def rate_of(self, currency: str, at: datetime) -> Decimal:
        """Return how many units of the programme's currency one unit was worth at an instant.

        :raises NoRate: if no rate was in force.
        """
        if currency == self.currency:
            return Decimal(1)
        for each in self.exchange_rates.get(currency, ()):
            if each.valid_from <= at:
                if each.valid_to is None or at < each.valid_to:
                    return each.rate
                break  # The latest that had begun is over: an earlier one does not come back.
        raise NoRate(currency=currency, at=at)

    def point_rate(self, point_type: PointTypeFacts, currency: str, at: datetime) -> Decimal:
        """Return the money value of one smallest unit of a point type at an instant.

        Its own rate in that currency, or else the one in the programme's, converted.

        :raises NoRate: if there was neither.
        """
        try:
            return point_type.rate(currency, at)
        except NoRate:
            if currency == self.currency:
                raise
            return point_type.rate(self.currency, at) / self.rate_of(currency, at)

    def value_of(
        self, point_type: PointTypeFacts, points: int, currency: str, at: datetime
    ) -> Decimal:
        """Return what points are worth in `currency`, rounded down to its minor unit."""
        worth = self.point_rate(point_type, currency, at) * points
        return worth.quantize(Decimal(1).scaleb(-places(currency)), rounding=ROUND_DOWN)

    def points_for(
        self, point_type: PointTypeFacts, amount: Decimal, currency: str, at: datetime
    ) -> int:
        """Return the least points that are worth at least `amount` in `currency`."""
        exact = amount / self.point_rate(point_type, currency, at)
        return int(exact.to_integral_value(rounding=ROUND_CEILING))

    def ladder(self, at: datetime) -> Ladder | None:
        """Return the ladder in effect at an instant; None before there is one."""
        return next((each for each in self.ladders if each.effective_from <= at), None)

    def point_type(self, code: str) -> PointTypeFacts:
        """Return the active point type of this code.

        :raises PointTypeUnknown: if there is none.
        """
        for facts in self.point_types.values():
            if facts.code == code and facts.active:
                return facts
        raise PointTypeUnknown(code)


_loaded: Configuration | None = None
_loading = Lock()


def configuration(epoch: int | None = None) -> Configuration:
    """Return the programme's configuration of this epoch, as read under a lock or beside it.

    Costs nothing while the epoch stands, a few queries when it has moved. Without an epoch, the
    current one is read first.
    """
    global _loaded  # noqa: PLW0603 One configuration a process; swapped whole, never changed.
    if epoch is None:
        epoch = Program.objects.values_list("epoch", flat=True).get(pk=1)
    loaded = _loaded
    if loaded is None or loaded.epoch != epoch:
        with _loading:
            loaded = _loaded = _load()
    return loaded


def cached_configuration() -> Configuration:
    """Return the configuration that this process has, perhaps of an epoch that is over.

    It serves to ask for what is then read beside a lock, which tells the epoch.
    """
    return _loaded or configuration()


def point_type_id(code: str) -> int:
    """Return the id of a point type; it never changes, so a cached one needs no look at the epoch.

    :raises PointTypeUnknown: if there is none.
    """
    try:
        return (_loaded or configuration()).point_type(code).id
    except PointTypeUnknown:
        return configuration().point_type(code).id


def _load() -> Configuration:
    program = Program.objects.get(pk=1)
    rates: dict[int, list[Rate]] = {}
    for value in PointValue.objects.order_by("-valid_from"):
        rate = Rate(value.currency, value.value, value.valid_from, value.valid_to)
        rates.setdefault(value.point_type_id, []).append(rate)
    point_types = {
        row.pk: PointTypeFacts(
            id=row.pk,
            code=row.code,
            redeemable=row.redeemable,
            qualifying=row.qualifying,
            expiry=row.expiry,
            minimum=row.minimum,
            step=row.step,
            daily_limit=row.daily_limit,
            debt_policy=row.debt_policy,
            zero_earn_is_activity=row.zero_earn_is_activity,
            active=row.active,
            rates=tuple(rates.get(row.pk, ())),
        )
        for row in PointType.objects.order_by("pk")
    }
    tiers = list(Tier.objects.order_by("rank").values_list("code", "rank"))
    return Configuration(
        epoch=program.epoch,
        zone=ZoneInfo(program.time_zone),
        currency=program.currency,
        accepted_lateness=program.accepted_lateness,
        future_tolerance=program.future_tolerance,
        offline_window=program.offline_window,
        offline_floor=program.offline_floor,
        claim_window=program.claim_window,
        redemption_grace=program.redemption_grace,
        pin_above=Limits(program.pin_above, program.pin_above_per_day),
        pin_above_at_most=program.pin_above_at_most,
        lost_card_grace=program.lost_card_grace,
        point_types=point_types,
        outlets=frozenset(Outlet.objects.filter(active=True).values_list("partner_id", "code")),
        exchanges=exchange_facts(),
        stages=permissions(),
        base_tier=next((code for code, _ in tiers), ""),
        ladders=tuple(_ladders(program, point_types.values(), tiers)),
        partners=dict(Partner.objects.values_list("code", "pk")),
        carries_remainders=program.carries_remainders,
        basis=_basis(program),
        returns_without_original=program.returns_without_original,
        exchange_rates=_exchange_rates(),
    )


def _basis(program: Program) -> Basis:
    named = (
        (program.shipping_category, program.counts_shipping),
        (program.gift_card_category, program.counts_gift_cards),
    )
    return Basis(
        points_paid=program.counts_points_paid,
        tax=program.counts_tax,
        basket_discount_lowers_lines=program.basket_discount_lowers_lines,
        not_earning=frozenset(code for code, counts in named if code and not counts),
    )


def _exchange_rates() -> dict[str, tuple[ExchangeRate, ...]]:
    """Return the rates of each active currency, the latest to begin first."""
    found: dict[str, list[ExchangeRate]] = {}
    rows = CurrencyRate.objects.filter(currency__active=True).order_by("-valid_from")
    for code, rate, start, end in rows.values_list(
        "currency__code", "rate", "valid_from", "valid_to"
    ):
        found.setdefault(code, []).append(ExchangeRate(rate, start, end))
    return {code: tuple(rates) for code, rates in found.items()}


def _ladders(
    program: Program, point_types: Iterable[PointTypeFacts], tiers: list[tuple[str, int]]
) -> Iterator[Ladder]:
    """Yield the versions of the ladder, the latest to take effect first.

    Of two that take effect at one instant, the later written is the ladder.
    """
    for row in LadderVersion.objects.order_by("-effective_from", "-number"):
        definition = msgspec.convert(row.definition, Definition)
        yield compiled_ladder(
            definition,
            number=row.number,
            effective_from=row.effective_from,
            point_types=point_types,
            tiers=tiers,
            currency=program.currency,
            zone=ZoneInfo(program.time_zone),
        )


def compiled_ladder(
    definition: Definition,
    *,
    number: int,
    effective_from: datetime,
    point_types: Iterable[PointTypeFacts],
    tiers: list[tuple[str, int]],
    currency: str,
    zone: ZoneInfo,
) -> Ladder:
    """Return a definition of the ladder as postings use it."""
    counted = tuple(
        each.id
        for each in point_types
        if each.qualifying and definition.point_type in (None, each.code)
    )
    points = definition.measure in (Measure.POINTS_EARNED, Measure.STATUS_POINTS)
    return compile_ladder(
        definition,
        number=number,
        effective_from=effective_from,
        tiers=tiers,
        point_types=counted if points else (0,),
        places=places(currency),
        zone=zone,
    )
