"""Rule tests: example baskets with what they must earn before a promotion may go live."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from ledger.queries.configuration import configuration
from loyalty.errors import FieldError, ValidationFailed
from loyalty.models import Program
from members.models import Tier
from promotions.engine.basket import Basket, BasketLine, purchase_of
from promotions.engine.definition import Amount, Definition, RuleTest
from promotions.engine.evaluate import evaluate
from promotions.engine.facts import Schemas
from promotions.engine.snapshot import Snapshot
from promotions.engine.types import Evaluation, MemberFacts, Purchase
from promotions.engine.versions import compile_version
from promotions.errors import TestsFail
from promotions.queries import products_by_sku
from promotions.services.earning import counting_of
from promotions.services.snapshot import load_schemas


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a rule test: what the basket earns, and what it was to earn, as people read."""

    name: str
    got: str
    wanted: str

    @property
    def passes(self) -> bool:
        return self.got == self.wanted


def run_tests(definition: Definition) -> None:
    """Evaluate the rule tests of a definition alone, at the instant each test's basket names.

    Limits and budgets count as untouched.

    :raises TestsFail: with a sentence for each test that gives something else.
    :raises ValidationFailed: if a test's basket is not one.
    """
    failures = [
        f"{each.name}: {each.got} in place of {each.wanted}."
        for each in results(definition)
        if not each.passes
    ]
    if failures:
        raise TestsFail(failures)


def results(definition: Definition) -> list[Result]:
    """Return what comes of each rule test of a definition.

    :raises ValidationFailed: if a test's basket is not one.
    """
    program, schemas = Program.objects.get(pk=1), load_schemas()
    told = []
    for place, test in enumerate(definition.tests):
        found = _found(definition, test, place, program, schemas)
        got: dict[str, int] = {}
        for award in found.awards:
            got[award.type] = got.get(award.type, 0) + award.points
        got |= {f"{each.kind} {each.code}": each.quantity for each in found.rewards}
        wanted = {each.type: each.points for each in test.points if each.points}
        wanted |= {f"{each.kind} {each.code}": each.quantity for each in test.rewards}
        told.append(Result(test.name, _read_out(got), _read_out(wanted)))
    return told


def _read_out(points: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(points.items())) or "nothing"


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    amount: Amount
    line: int | None = None
    sku: str | None = None
    quantity: Amount = "1"
    category: str | None = None
    brand: str | None = None
    discount: Amount = "0"
    tax: Amount = "0"
    earns: bool = True
    attributes: dict[str, Any] = {}


class _Tender(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    amount: Amount


class _Basket(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    occurred_at: datetime
    lines: list[_Line] = []
    amount: Amount | None = None
    discount: Amount = "0"
    currency: str | None = None
    outlet: str | None = None
    channel: str | None = None
    tenders: list[_Tender] = []
    coupons: list[str] = []
    attributes: dict[str, Any] = {}
    partner: str | None = None


def _found(
    definition: Definition, test: RuleTest, place: int, program: Program, schemas: Schemas
) -> Evaluation:
    zone = ZoneInfo(program.time_zone)
    try:
        purchase = _purchase(definition, msgspec.convert(test.basket, _Basket), program, zone)
    except (msgspec.ValidationError, ValueError, ArithmeticError) as error:
        pointer = f"/tests/{place}/basket"
        raise ValidationFailed([FieldError(pointer, "NOT_IN_FORM", str(error))]) from None
    version = compile_version(
        id=0,
        promotion="TEST",
        number=1,
        live=[(purchase.occurred_at, None)],
        definition=definition,
        currency=program.currency,
        schemas=schemas,
    )
    return evaluate(purchase, _member(definition, test), Snapshot([version]))


def _purchase(definition: Definition, sent: _Basket, program: Program, zone: ZoneInfo) -> Purchase:
    partner = sent.partner or next(iter(definition.audience.partners), "HOUSE")
    if definition.trigger != "PURCHASE":
        if sent.lines or sent.amount:
            raise ValueError(f"{definition.trigger} has no lines")
        return Purchase(
            occurred_at=sent.occurred_at,
            local=sent.occurred_at.astimezone(zone),
            partner=partner,
            currency=program.currency,
            outlet=sent.outlet,
            channel=sent.channel,
            trigger=definition.trigger,
            event=definition.event,
            attributes=sent.attributes,
        )
    lines = tuple(
        BasketLine(
            number,
            line.sku,
            line.quantity,
            line.amount,
            discount=line.discount,
            tax=line.tax,
            category=line.category,
            brand=line.brand,
            attributes=line.attributes,
            earns=line.earns,
        )
        for number, line in enumerate(sent.lines or [_Line(amount=sent.amount or "0")], 1)
    )
    basket = Basket(
        occurred_at=sent.occurred_at,
        currency=program.currency,
        lines=lines,
        discount=sent.discount,
        tenders=tuple((tender.type, tender.amount) for tender in sent.tenders),
        coupons=tuple(sent.coupons),
        outlet=sent.outlet,
        channel=sent.channel,
        attributes=sent.attributes,
    )
    products = products_by_sku(line.sku for line in sent.lines if line.sku is not None)
    counting = counting_of(configuration().basis)
    return purchase_of(basket, products, partner=partner, zone=zone, counting=counting)


def _member(definition: Definition, test: RuleTest) -> MemberFacts | None:
    """Return who buys in a test; what it does not say is as the audience has it."""
    member, audience = test.member, definition.audience
    if member is None:
        return None
    base = Tier.objects.filter(is_base=True).values_list("code", flat=True).first() or ""
    segments = audience.segments if member.segments is None else member.segments
    return MemberFacts(
        tier=member.tier or next(iter(audience.tiers), base),
        stage=member.stage,
        segments=tuple(segments),
        language=member.language,
        born=member.birth_date,
        joined_at=member.joined_at,
        attributes=member.attributes,
    )
