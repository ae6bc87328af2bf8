"""Promotions as they are written: a change makes a version, a status its own row of history."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from django.db import connection

from ledger.models import PointType
from loyalty.errors import FieldError, ValidationFailed
from loyalty.models import Program
from loyalty.services import epoch
from loyalty.services.use_case import use_case
from members.models import Tier
from promotions.engine.basket import Basket, BasketLine, purchase_of
from promotions.engine.definition import Definition, Invalid, RuleTest, check
from promotions.engine.evaluate import evaluate
from promotions.engine.snapshot import Snapshot, compile_version
from promotions.engine.types import MemberFacts
from promotions.errors import TestsFail
from promotions.models import Promotion, PromotionStatus, PromotionVersion
from promotions.queries import products_by_sku


@dataclass(frozen=True, slots=True)
class Written:
    """A promotion as it now stands, and whether a new version was made."""

    promotion: Promotion
    version: PromotionVersion
    new_version: bool
    warnings: tuple[str, ...]


@use_case
def put_promotion(
    code: str, definition: dict[str, Any], *, status: str, at: datetime, by: str = ""
) -> Written:
    """Write a promotion: the same content makes no version, another makes the next.

    :raises ValidationFailed: with the pointer of what is wrong.
    :raises TestsFail: if it is to be LIVE and a rule test fails.
    """
    return write_promotion(code, definition, status=status, at=at, by=by)


def write_promotion(
    code: str, content: dict[str, Any], *, status: str, at: datetime, by: str = ""
) -> Written:
    """Do what `put_promotion` does, as a step."""
    assert connection.in_atomic_block
    definition = read_definition(content)
    if status == Promotion.Status.LIVE:
        run_tests(definition)
    promotion, _ = Promotion.objects.select_for_update().get_or_create(
        code=code, defaults={"name": definition.name}
    )
    plain = msgspec.to_builtins(definition)
    digest = hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).digest()
    last = promotion.versions.order_by("number").last()
    same = last is not None and bytes(last.digest) == digest
    version = last
    if not same:
        version = PromotionVersion.objects.create(
            promotion=promotion,
            number=last.number + 1 if last else 1,
            definition=plain,
            digest=digest,
            effective_from=at,
            created_at=at,
            created_by=by,
        )
    assert version is not None
    promotion.name = definition.name
    promotion.save(update_fields=["name"])
    set_status(promotion, status, at=at)
    if not same:
        epoch.bump()
    return Written(promotion, version, not same, tuple(warnings_of(definition)))


def set_status(promotion: Promotion, status: str, *, at: datetime, reason: str = "") -> None:
    """Give a promotion a status from `at` on; a step. The same status changes nothing."""
    assert connection.in_atomic_block
    if promotion.status == status and promotion.statuses.exists():
        return
    promotion.status = status
    promotion.save(update_fields=["status"])
    PromotionStatus.objects.create(promotion=promotion, status=status, since=at, reason=reason)
    epoch.bump()


def read_definition(content: dict[str, Any]) -> Definition:
    """Return a definition's JSON as the engine knows it.

    :raises ValidationFailed: with the pointer of what is unknown, missing or contradictory.
    """
    try:
        definition = msgspec.convert(content, Definition)
        check(definition)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$")
        pointer = path.rstrip("`").replace(".", "/").replace("[", "/").replace("]", "")
        raise ValidationFailed([FieldError(pointer, "NOT_IN_FORM", text)]) from None
    except Invalid as error:
        raise ValidationFailed([FieldError(error.pointer, "INVALID", str(error))]) from None
    _check_names(definition)
    return definition


def _check_names(definition: Definition) -> None:
    """:raises ValidationFailed: if the definition names a point type or tier that is not there."""
    if not PointType.objects.filter(code=definition.award.type, active=True).exists():
        message = f"There is no point type {definition.award.type}."
        raise ValidationFailed([FieldError("/award/type", "UNKNOWN", message)])
    known = set(Tier.objects.values_list("code", flat=True))
    for tier in definition.audience.tiers:
        if tier not in known:
            message = f"There is no tier {tier}."
            raise ValidationFailed([FieldError("/audience/tiers", "UNKNOWN", message)])


def run_tests(definition: Definition) -> None:
    """Evaluate the rule tests of a definition alone, at the instant each test's basket names.

    :raises TestsFail: with a sentence for each test that gives other points.
    :raises ValidationFailed: if a test's basket is not one.
    """
    program = Program.objects.get(pk=1)
    base = Tier.objects.get(is_base=True).code
    failures = []
    for place, test in enumerate(definition.tests):
        got = _points_of_test(definition, test, place, program, base)
        wanted = {each.type: each.points for each in test.points if each.points}
        if got != wanted:
            failures.append(f"{test.name}: {_read_out(got)} in place of {_read_out(wanted)}.")
    if failures:
        raise TestsFail(failures)


def _read_out(points: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(points.items())) or "nothing"


class _TestLine(msgspec.Struct, forbid_unknown_fields=True):
    amount: str
    line: int | None = None
    sku: str | None = None
    quantity: str = "1"
    category: str | None = None
    brand: str | None = None
    discount: str = "0"


class _TestBasket(msgspec.Struct, forbid_unknown_fields=True):
    occurred_at: datetime
    lines: list[_TestLine]
    discount: str = "0"
    currency: str | None = None
    outlet: str | None = None
    channel: str | None = None
    coupons: list[str] = []
    partner: str = "HOUSE"


def _points_of_test(
    definition: Definition, test: RuleTest, place: int, program: Program, base: str
) -> dict[str, int]:
    """Return the points of a rule test by type."""
    try:
        sent = msgspec.convert(test.basket, _TestBasket)
        lines = tuple(
            BasketLine(
                number,
                line.sku,
                line.quantity,
                line.amount,
                discount=line.discount,
                category=line.category,
                brand=line.brand,
            )
            for number, line in enumerate(sent.lines, 1)
        )
        basket = Basket(
            occurred_at=sent.occurred_at,
            currency=program.currency,
            lines=lines,
            discount=sent.discount,
            coupons=tuple(sent.coupons),
            outlet=sent.outlet,
            channel=sent.channel,
        )
        zone = ZoneInfo(program.time_zone)
        products = products_by_sku(line.sku for line in sent.lines if line.sku is not None)
        purchase = purchase_of(basket, products, partner=sent.partner, zone=zone)
    except (msgspec.ValidationError, ValueError, ArithmeticError) as error:
        pointer = f"/tests/{place}/basket"
        raise ValidationFailed([FieldError(pointer, "NOT_IN_FORM", str(error))]) from None
    version = compile_version(
        id=0,
        promotion="TEST",
        number=1,
        live=[(sent.occurred_at, None)],
        definition=definition,
        currency=program.currency,
    )
    facts = MemberFacts(test.member.tier or base, "ACTIVE")
    points: dict[str, int] = {}
    for award in evaluate(purchase, facts, Snapshot([version])).awards:
        points[award.type] = points.get(award.type, 0) + award.points
    return points


def warnings_of(definition: Definition) -> list[str]:
    """Return what a careful reader would ask about."""
    warnings = []
    if definition.award.kind == "MULTIPLIER" and not definition.combination.stackable:
        warnings.append("NEVER_AWARDS: alone, without base awards, there is nothing to multiply.")
    if definition.award.kind != "FIXED" and not definition.limits:
        warnings.append("NO_CAP: nothing bounds what one purchase earns.")
    if definition.active_to is None and not definition.combination.base:
        warnings.append("NO_END: the promotion runs until somebody ends it.")
    if not definition.tests:
        warnings.append("NO_TESTS: no example shows what it is meant to give.")
    return warnings
