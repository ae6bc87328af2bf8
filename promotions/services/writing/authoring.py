"""Promotions as they are written: a change makes a version, a status its own row of history."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from ledger.models import PointType, PointValue
from loyalty.errors import ExpressionInvalid, FieldError, NotFound, ValidationFailed
from loyalty.expressions import BadExpression
from loyalty.expressions import compile as compile_expression
from loyalty.models import Program
from loyalty.services import epoch, outbox
from loyalty.services.use_case import use_case
from members.models import Segment, Tier
from partners.models import Partner
from promotions.engine.checks import Invalid, check
from promotions.engine.definition import Definition
from promotions.engine.facts import Schemas
from promotions.engine.versions import condition_names
from promotions.models import (
    EventType,
    Promotion,
    PromotionApproval,
    PromotionStatus,
    PromotionVersion,
    Sweepstake,
)
from promotions.services.snapshot import load_schemas
from promotions.services.writing import waiting
from promotions.services.writing.linting import lint
from promotions.services.writing.rule_tests import run_tests
from vouchers.models import VoucherType


@dataclass(frozen=True, slots=True)
class Written:
    """A promotion as it now stands, and whether a new version was made.

    `approval` is what waits for a second person, or was decided by one.
    """

    promotion: Promotion
    version: PromotionVersion
    new_version: bool
    warnings: tuple[str, ...]
    approval: PromotionApproval | None = None


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
    """Do what `put_promotion` does, as a step.

    Where the programme asks for four eyes, what is to be LIVE waits: a promotion that is not live
    stays so, and one that is keeps the version in effect.
    """
    assert connection.in_atomic_block
    definition = read_definition(content)
    if status == Promotion.Status.LIVE:
        run_tests(definition)
    promotion, _ = Promotion.objects.select_for_update().get_or_create(
        code=code, defaults={"name": definition.name}
    )
    last = promotion.versions.order_by("number").last()
    same = last is not None and bytes(last.digest) == digest_of(definition)
    live = promotion.status == Promotion.Status.LIVE
    warnings = lint(code, definition, at=at)
    waits = status == Promotion.Status.LIVE and not (live and same)
    waits = waits and waiting.second_person_needed()
    if waits and live:
        assert last is not None
        _check_start(definition, at)
        asked = waiting.ask(promotion, msgspec.to_builtins(definition), version=None, at=at, by=by)
        return Written(promotion, last, new_version=False, warnings=warnings, approval=asked)
    if last is None or not same:
        version = make_version(promotion, definition, at=at, by=by)
    else:
        version = last
    if waits:
        set_status(promotion, promotion.status, at=at)
        asked = _ask(promotion, version, at=at, by=by)
        if not same:
            announce(promotion, version, at=at)
        return Written(promotion, version, not same, warnings, asked)
    changed = not same or status != promotion.status
    if changed:
        waiting.supersede(promotion, at=at, by=by)
    set_status(promotion, status, at=at)
    if changed:
        announce(promotion, version, at=at)
    return Written(promotion, version, not same, warnings)


def announce(promotion: Promotion, version: PromotionVersion, *, at: datetime) -> None:
    """Tell subscribers that a promotion has another version or status; a step."""
    payload = {
        "promotion": promotion.code,
        "version": version.number,
        "status": promotion.status,
        "effective_from": version.effective_from,
    }
    outbox.record("promotion.changed", at=at, payload=msgspec.to_builtins(payload))


def digest_of(definition: Definition) -> bytes:
    """Return what tells whether two definitions are the same."""
    plain = msgspec.to_builtins(definition)
    return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).digest()


def make_version(
    promotion: Promotion, definition: Definition, *, at: datetime, by: str
) -> PromotionVersion:
    """Make a promotion's next version; a step.

    :raises ValidationFailed: if it is to take over in the past.
    """
    assert connection.in_atomic_block
    since = _check_start(definition, at)
    last = promotion.versions.order_by("number").last()
    version = PromotionVersion.objects.create(
        promotion=promotion,
        number=last.number + 1 if last else 1,
        definition=msgspec.to_builtins(definition),
        digest=digest_of(definition),
        effective_from=since,
        created_at=at,
        created_by=by,
    )
    promotion.name = definition.name
    promotion.save(update_fields=["name"])
    epoch.bump()
    return version


def _check_start(definition: Definition, at: datetime) -> datetime:
    since = definition.effective_from or at
    if since < at:
        message = "A version takes over now or later, never in the past."
        raise ValidationFailed([FieldError("/effective_from", "OUT_OF_RANGE", message)])
    return since


def change_status(
    code: str, status: str, *, at: datetime, reason: str = "", by: str = ""
) -> Written:
    """Pause, end or put live a promotion as it is; a step. With four eyes, going live waits.

    :raises NotFound: if there is none.
    :raises TestsFail: if it is to be LIVE and a rule test of its last version fails.
    """
    promotion, version = _last(code)
    warnings: tuple[str, ...] = ()
    if status == Promotion.Status.LIVE:
        definition = msgspec.convert(version.definition, Definition)
        run_tests(definition)
        warnings = lint(code, definition, at=at)
        if promotion.status != status and waiting.second_person_needed():
            asked = _ask(promotion, version, at=at, by=by, reason=reason)
            return Written(promotion, version, False, warnings, asked)
    changed = promotion.status != status
    if changed:
        waiting.supersede(promotion, at=at, by=by)
    set_status(promotion, status, at=at, reason=reason)
    if changed:
        announce(promotion, version, at=at)
    return Written(promotion, version, new_version=False, warnings=warnings)


def _ask(
    promotion: Promotion, version: PromotionVersion, *, at: datetime, by: str, reason: str = ""
) -> PromotionApproval:
    """Let a promotion that is not live wait to go live with a version.

    :raises ValidationFailed: if an earlier version, which nobody judges, would be live till then.
    """
    if version.number > 1 and version.effective_from > at:
        message = "Until then an earlier version would be live, which nobody judges."
        raise ValidationFailed([FieldError("/effective_from", "OUT_OF_RANGE", message)])
    return waiting.ask(promotion, version.definition, version=version, at=at, by=by, reason=reason)


def map_segments(
    code: str, *, include: list[str], exclude: list[str], at: datetime, by: str
) -> Written:
    """Say which segments a promotion is for, and for which not: a new version from now on; a step.

    :raises NotFound: if there is no such promotion.
    :raises ValidationFailed: if there is no such segment, or one is on both sides.
    """
    promotion, _ = _last(code)
    content = mapped(code, include, exclude)
    return write_promotion(code, content, status=promotion.status, at=at, by=by)


def mapped(code: str, include: list[str], exclude: list[str]) -> dict[str, Any]:
    """Return a promotion's last definition with other segments; a step.

    :raises NotFound: if there is no such promotion.
    """
    _, version = _last(code)
    audience = {**version.definition["audience"], "segments": include, "not_segments": exclude}
    return {**version.definition, "audience": audience, "effective_from": None}


def _last(code: str) -> tuple[Promotion, PromotionVersion]:
    assert connection.in_atomic_block
    promotion = Promotion.objects.select_for_update().filter(code=code).first()
    version = promotion.versions.order_by("number").last() if promotion else None
    if promotion is None or version is None:
        raise NotFound("No such promotion.")
    return promotion, version


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
    check_condition(definition, load_schemas())
    _check_names(definition)
    return definition


def check_condition(definition: Definition, schemas: Schemas) -> None:
    """:raises ExpressionInvalid: at the character where the condition is wrong."""
    if definition.condition is None:
        return
    try:
        compile_expression(definition.condition, condition_names(definition, schemas))
    except BadExpression as error:
        raise ExpressionInvalid("/condition", error.message, error.position) from None


def _check_names(definition: Definition) -> None:
    """:raises ValidationFailed: if the definition names what is not there."""
    award = definition.award
    if award.type and not PointType.objects.filter(code=award.type, active=True).exists():
        _unknown("/award/type", f"There is no point type {award.type}.")
    if definition.event and not EventType.objects.filter(code=definition.event).exists():
        _unknown("/event", f"There is no event type {definition.event}.")
    if award.voucher_type and not VoucherType.objects.filter(code=award.voucher_type).exists():
        _unknown("/award/voucher_type", f"There is no voucher type {award.voucher_type}.")
    if award.sweepstake and not Sweepstake.objects.filter(code=award.sweepstake).exists():
        _unknown("/award/sweepstake", f"There is no sweepstake {award.sweepstake}.")
    known = set(Tier.objects.values_list("code", flat=True))
    for tier in definition.audience.tiers:
        if tier not in known:
            _unknown("/audience/tiers", f"There is no tier {tier}.")
    wanted = [
        *(("segments", code) for code in definition.audience.segments),
        *(("not_segments", code) for code in definition.audience.not_segments),
    ]
    there = set(
        Segment.objects.filter(code__in=[code for _, code in wanted]).values_list("code", flat=True)
    )
    for name, code in wanted:
        if code not in there:
            _unknown(f"/audience/{name}", f"There is no segment {code}.")
    both = set(definition.audience.segments) & set(definition.audience.not_segments)
    if both:
        message = f"{min(both)} is on both sides."
        raise ValidationFailed([FieldError("/audience/not_segments", "INVALID", message)])
    payer = definition.funded_by
    if payer and not Partner.objects.filter(code=payer).exists():
        _unknown("/funded_by", f"There is no partner {payer}.")
    budget = definition.budget
    if budget and budget.measure == "MONEY":
        currency = Program.objects.values_list("currency", flat=True).get(pk=1)
        valued = PointValue.objects.filter(point_type__code=award.type, currency=currency)
        if not valued.exists():
            message = f"{award.type} has no value in {currency}, so it cannot be counted as money."
            raise ValidationFailed([FieldError("/budget/measure", "NO_RATE", message)])


def _unknown(pointer: str, message: str) -> None:
    raise ValidationFailed([FieldError(pointer, "UNKNOWN", message)])
