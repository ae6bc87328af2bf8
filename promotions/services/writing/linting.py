"""Warnings of a promotion: what the engine's linter needs to know, read and handed to it."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal

import msgspec
from django.db.models.fields.json import KT

from ledger.errors import NoRate, PointTypeUnknown
from ledger.kernel.dates import available_at, expires_at, parse_policy
from ledger.queries.configuration import Configuration, configuration
from loyalty.errors import LoyaltyError
from loyalty.models import Master, Program
from members.models import Member, SegmentMember
from partners.models import Outlet, Partner
from promotions.engine import lint as engine
from promotions.engine.definition import Definition
from promotions.engine.lint import Around, Found, Live
from promotions.errors import TestsFail
from promotions.models import EventType
from promotions.queries.promotions import live_definitions
from promotions.services.snapshot import load_schemas
from promotions.services.writing.rule_tests import run_tests

_TIER = re.compile(r"""\bmember\.tier\s*==\s*(?:'([^']*)'|"([^"]*)")""")
_NAMED_MAX = 200  # Codes looked up in the master data for one key.


def lint(code: str, definition: Definition, *, at: datetime) -> tuple[str, ...]:
    """Return the warnings of a definition, each as `CODE: sentence`, in the order of the codes."""
    settings = configuration()
    found = [
        *_unknown(definition),
        *engine.lint(definition, _around(code, definition, settings, at)),
        *_expiry(definition, settings, at),
        *_tests(definition),
    ]
    found.sort(key=lambda each: engine.CODES.index(each[0]))
    return tuple(f"{name}: {text}" for name, text in dict.fromkeys(found))


def _around(code: str, definition: Definition, settings: Configuration, at: datetime) -> Around:
    live = tuple(
        Live(row.promotion.code, msgspec.convert(row.definition, Definition))
        for row in live_definitions(at)
        if row.promotion.code != code
    )
    worth = None
    try:
        if definition.award.type:
            worth = settings.point_type(definition.award.type).rate(settings.currency, at)
    except (NoRate, PointTypeUnknown):
        worth = None
    share: Decimal | None = Program.objects.values_list("earn_share_warning", flat=True).get(pk=1)
    return Around(at, live, _paths(definition, live), worth, share)


def _paths(definition: Definition, live: Iterable[Live]) -> dict[str, frozenset[str]]:
    """Return the categories above the SKUs and categories that promotions include. One query."""
    wanted: dict[str, set[str]] = {"category": set(), "product": set()}
    for each in (definition, *(other.definition for other in live)):
        wanted["category"].update(each.lines.include.get("category", ()))
    wanted["product"].update(definition.lines.include.get("sku", ()))
    rows = Master.objects.filter(entity__code="category", code__in=wanted["category"]).union(
        Master.objects.filter(entity__code="product", code__in=wanted["product"]), all=True
    )
    return {code: frozenset(path) for code, path in rows.values_list("code", "path")}


def _unknown(definition: Definition) -> Iterator[Found]:
    """Yield what a definition names that nothing can match."""
    yield from _unknown_lines(definition)
    audience = definition.audience
    known = set(
        Partner.objects.filter(code__in=audience.partners).values_list("code", flat=True)
        if audience.partners
        else ()
    )
    for code in audience.partners:
        if code not in known:
            yield "UNKNOWN_PARTNER", f"there is no partner {code}."
    if audience.outlets:
        there = set(Outlet.objects.filter(code__in=audience.outlets).values_list("code", flat=True))
        for code in sorted(set(audience.outlets) - there):
            yield "UNKNOWN_OUTLET", f"no partner has an outlet {code}."
    for stage in audience.stages:
        if stage not in Member.Stage.values:
            yield "STAGE_EARNS_NOTHING", f"there is no stage {stage}."
        elif stage in ("DISABLED", "CLOSED", "MERGED"):
            yield "STAGE_EARNS_NOTHING", f"who is {stage} does not earn."
    yield from _segments(audience.segments)
    if definition.event and EventType.objects.filter(code=definition.event, active=False).exists():
        yield "EVENT_INACTIVE", f"events of the type {definition.event} are not taken any more."
    yield from _tiers(definition)


def _segments(codes: list[str]) -> Iterator[Found]:
    if codes:
        inside = SegmentMember.objects.filter(segment__code__in=codes, segment__active=True)
        if not inside.exists():
            yield "SEGMENT_EMPTY", f"nobody is in {', '.join(codes[:3])}."


def _tiers(definition: Definition) -> Iterator[Found]:
    """Yield a condition on a tier that the audience leaves out."""
    text = definition.condition or ""
    tiers = {single or double for single, double in _TIER.findall(text)}
    if len(tiers) == 1 and "||" not in text and definition.audience.tiers:
        (tier,) = tiers
        if tier not in definition.audience.tiers:
            yield "TIER_CONTRADICTED", f"its condition wants {tier}, its audience does not."


def _unknown_lines(definition: Definition) -> Iterator[Found]:
    """Yield products, categories, brands and attributes that the master data do not know.

    A programme without products in its master data has the till say what a line is.
    """
    include = definition.lines.include
    if not include or not Master.objects.filter(entity__code="product").exists():
        return
    for key, entity, code in (
        ("sku", "product", "UNKNOWN_PRODUCT"),
        ("category", "category", "UNKNOWN_CATEGORY"),
    ):
        wanted = include.get(key, [])[:_NAMED_MAX]
        known = set(
            Master.objects.filter(entity__code=entity, code__in=wanted, retired=False).values_list(
                "code", flat=True
            )
            if wanted
            else ()
        )
        for value in wanted:
            if value not in known:
                yield code, f"the master data have no {entity} {value}."
    brands = include.get("brand", [])[:_NAMED_MAX]
    for brand in sorted(set(brands) - _brands_known(brands)):
        yield "UNKNOWN_BRAND", f"no product in the master data is of {brand}."
    schema = load_schemas().product
    for key in sorted(include.keys() - {"sku", "category", "brand"} - schema.keys()):
        yield "UNKNOWN_ATTRIBUTE", f"products have no attribute {key}; the till may send it."


def _brands_known(brands: list[str]) -> set[str]:
    """Return the brands that products have, of some: they have no index, so in one scan."""
    if not brands:
        return set()
    products = Master.objects.filter(entity__code="product").annotate(brand=KT("attributes__brand"))
    return set(products.filter(brand__in=brands).values_list("brand", flat=True).distinct())


def _expiry(definition: Definition, settings: Configuration, at: datetime) -> Iterator[Found]:
    """Yield that points would expire before they are available."""
    kind, expiry = definition.award.type, definition.expiry
    if kind is None or definition.pending is None:
        return
    text = settings.point_type(kind).expiry
    if expiry:
        text = f"{expiry.after}/{expiry.start}/{expiry.round_up}"
    policy = parse_policy(text)
    available = available_at(at, definition.pending, settings.zone)
    anchor = available if policy and policy.anchor == "AVAILABLE" else at
    ends = expires_at(anchor, policy, settings.zone)
    if ends is not None and ends <= available:
        yield "EXPIRES_WHILE_PENDING", "its points expire before they are available."


def _tests(definition: Definition) -> Iterator[Found]:
    try:
        run_tests(definition)
    except TestsFail as error:
        yield "TESTS_FAIL", error.extra["failures"][0]
    except LoyaltyError as error:
        yield "TESTS_FAIL", error.detail
