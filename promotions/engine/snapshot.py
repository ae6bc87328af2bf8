"""Versions found by index: the cost of an evaluation follows the candidates."""

from collections.abc import Iterable, Iterator

from promotions.engine.types import Line, MemberFacts, Purchase
from promotions.engine.versions import Version

Key = tuple[str, str | int]


class Snapshot:
    """All versions that may matter, each posted under its rarest condition. Never changed.

    `asks` are the names that conditions ask for, `segments` those that audiences do; what no
    version asks for need be neither read nor kept.
    """

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
        self.triggers = frozenset(version.definition.trigger for version in self.versions)
        self.asks = frozenset(name for version in self.versions for name in version.asks)
        self.segments = frozenset(
            code for version in self.versions for code in version.segments | version.not_segments
        )
        counted = [limit for version in self.versions for limit in version.counted]
        self.counts_members = any(limit.per == "MEMBER" for limit in counted)
        self.counts_programme = any(limit.per != "MEMBER" for limit in counted)
        self.carries = any(version.carries for version in self.versions)
        self.values_points = frozenset(
            version.definition.award.type or ""
            for version in self.versions
            if any(limit.measure == "MONEY" for limit in version.counted)
        )

    def candidates(
        self, purchase: Purchase, member: MemberFacts | None
    ) -> list[tuple[Version, list[int] | None]]:
        """Return the versions whose rarest condition the purchase meets, each once.

        With each, in order, the places of the lines that meet it, where that settles which lines
        count; None where that has to be looked at.
        """
        posted = self._posted
        if purchase.trigger != "PURCHASE":
            rewarded = posted.get(_occasion(purchase.trigger, purchase.event), ())
            return [(version, []) for version in rewarded]
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
    if version.definition.trigger != "PURCHASE":
        yield _occasion(version.definition.trigger, version.definition.event)
        return
    include = dict(version.include)
    for name, values in (
        ("coupon", version.coupons),
        ("sku", include.get("sku")),
        ("segment", version.segments),
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


def _occasion(trigger: str, event: str | None) -> Key:
    return (trigger, event or "")


def _lookups(purchase: Purchase, member: MemberFacts | None) -> Iterator[Key]:
    for code in purchase.coupons:
        yield ("coupon", code)
    if purchase.outlet is not None:
        yield ("outlet", purchase.outlet)
    yield ("partner", purchase.partner)
    if member is not None:
        yield ("tier", member.tier)
        for code in member.segments:
            yield ("segment", code)
    yield ("weekday", purchase.local.weekday())


def _lookups_of(line: Line) -> Iterator[Key]:
    if line.sku is not None:
        yield ("sku", line.sku)
    if line.brand is not None:
        yield ("brand", line.brand)
    for category in line.path:
        yield ("category", category)
