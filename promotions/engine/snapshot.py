"""Versions compiled for evaluation, found by index: cost follows the candidates."""

from collections.abc import Iterable, Iterator
from datetime import datetime, time
from decimal import Decimal

import msgspec

from promotions.engine.definition import WEEKDAYS, Definition
from promotions.engine.money import to_minor
from promotions.engine.types import PIECE, Line, MemberFacts, Purchase


class Version(msgspec.Struct, frozen=True):
    """One version of a promotion, ready to be evaluated.

    `live` are the periods (from inclusive, to exclusive or open) in which this version was the
    one in effect and the promotion was LIVE.
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
    tiers: frozenset[str]
    stages: frozenset[str]
    partners: frozenset[str]
    outlets: frozenset[str]
    channels: frozenset[str]
    coupons: frozenset[str]
    not_tenders: frozenset[str]
    minimum_amount: int
    minimum_quantity: int
    per: int
    extra_factor: Decimal
    bands: tuple[tuple[int, int, int], ...]
    limits: tuple[tuple[str, int, bool], ...]  # measure, at most (points or money), skip
    expiry: str | None
    one_key: bool
    for_members_anywhere: bool


def compile_version(  # The five facts of a stored row.
    *,
    id: int,  # noqa: A002 the row's word
    promotion: str,
    number: int,
    live: Iterable[tuple[datetime, datetime | None]],
    definition: Definition,
    currency: str,
) -> Version:
    """Return a definition as the engine works with it; amounts are in minor units of `currency`."""
    audience, award, lines = definition.audience, definition.award, definition.lines
    hours, expiry = definition.hours, definition.expiry

    def minor(text: str | None) -> int:
        return to_minor(text, currency) if text else 0

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
        tiers=frozenset(audience.tiers),
        stages=frozenset(audience.stages),
        partners=frozenset(audience.partners),
        outlets=frozenset(audience.outlets),
        channels=frozenset(audience.channels),
        coupons=frozenset(definition.coupons),
        not_tenders=frozenset(definition.not_tenders),
        minimum_amount=minor(definition.minimum.amount),
        minimum_quantity=int(Decimal(definition.minimum.quantity or 0) * PIECE),
        per=minor(award.per),
        extra_factor=Decimal(award.factor or 1) - 1,
        bands=tuple((minor(b.start), b.points, minor(b.per)) for b in award.bands),
        limits=tuple(
            (
                limit.measure,
                minor(str(limit.at_most)) if limit.measure == "AMOUNT" else int(limit.at_most),
                limit.then == "SKIP",
            )
            for limit in definition.limits
        ),
        expiry=f"{expiry.after}/{expiry.start}/{expiry.round_up}" if expiry else None,
        # Two short cuts: the index alone tells which lines count; nothing but LIVE is asked.
        one_key=len(lines.include) == 1
        and not lines.exclude
        and not definition.coupons
        and not lines.include.keys() - {"sku", "category", "brand"},
        for_members_anywhere=not (
            definition.active_from
            or definition.active_to
            or definition.weekdays
            or hours
            or audience.tiers
            or audience.stages
            or audience.partners
            or audience.outlets
            or audience.channels
            or definition.coupons
        ),
    )


Key = tuple[str, str | int]


class Snapshot:
    """All versions that may matter, each posted under its rarest condition. Never changed."""

    def __init__(self, versions: Iterable[Version]) -> None:
        self.versions = tuple(sorted(versions, key=lambda version: version.id))
        self.by_id = {version.id: version for version in self.versions}
        self._always: list[Version] = []
        self._posted: dict[Key, list[Version]] = {}
        for version in self.versions:
            keys = list(_keys(version))
            for key in keys:
                self._posted.setdefault(key, []).append(version)
            if not keys:
                self._always.append(version)

    def candidates(
        self, purchase: Purchase, member: MemberFacts | None
    ) -> list[tuple[Version, list[int] | None]]:
        """Return the versions whose rarest condition the purchase meets, each once.

        With each, in order, the places of the lines that meet it, where that settles which lines
        count; None where that has to be looked at.
        """
        posted = self._posted
        found: dict[int, tuple[Version, list[int] | None]] = {
            version.id: (version, None) for version in self._always
        }
        if posted:
            for key in _lookups(purchase, member):
                for version in posted.get(key, ()):
                    found[version.id] = (version, None)
            for place, line in enumerate(purchase.lines):
                if line.earns:
                    for key in _lookups_of(line):
                        for version in posted.get(key, ()):
                            _note(found, version, place)
        return list(found.values())


def _note(found: dict[int, tuple[Version, list[int] | None]], version: Version, place: int) -> None:
    known = found.get(version.id)
    if known is None:
        found[version.id] = (version, [place] if version.one_key else None)
    elif known[1] is not None and known[1][-1] != place:
        known[1].append(place)


def _keys(version: Version) -> Iterator[Key]:
    """Yield the keys of the rarest condition: any of them may lead to the version."""
    include = dict(version.include)
    for name, values in (
        ("coupon", version.coupons),
        ("sku", include.get("sku")),
        ("category", include.get("category")),
        ("brand", include.get("brand")),
        ("outlet", version.outlets),
        ("partner", version.partners),
        ("tier", version.tiers),
        ("weekday", version.weekdays),
    ):
        if values:
            for value in values:
                yield (name, value)
            return


def _lookups(purchase: Purchase, member: MemberFacts | None) -> Iterator[Key]:
    for code in purchase.coupons:
        yield ("coupon", code)
    if purchase.outlet is not None:
        yield ("outlet", purchase.outlet)
    yield ("partner", purchase.partner)
    if member is not None:
        yield ("tier", member.tier)
    yield ("weekday", purchase.local.weekday())


def _lookups_of(line: Line) -> Iterator[Key]:
    if line.sku is not None:
        yield ("sku", line.sku)
    if line.brand is not None:
        yield ("brand", line.brand)
    for category in line.path:
        yield ("category", category)
