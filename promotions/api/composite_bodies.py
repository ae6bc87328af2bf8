"""The body of All Transaction, and the request it makes."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from ledger.services.burning import Burn
from loyalty.api.fields import (
    Amount,
    Body,
    Code,
    Money,
    OriginalReference,
    Points,
    Reason,
    StepUpToken,
)
from loyalty.caller import Caller
from loyalty.digest import digest_of
from loyalty.errors import FieldError, ValidationFailed
from loyalty.secret import Secret
from promotions.api.returns import ReturnBody, ReturnLineBody, return_request
from promotions.services import quotes
from promotions.services.calls.composite_unit import CompositeRequest
from promotions.services.calls.payment import VoucherToUse
from promotions.services.earning import EarnRequest
from promotions.services.returns import ReturnRequest
from promotions.shapes.purchases import PurchaseBody, basket_of
from vouchers.errors import VoucherNotFound
from vouchers.services import authentication
from vouchers.shapes.uses import UseReference, VoucherCode


class ReturnedBody(Body, kw_only=True):
    """Items that come back of an earlier sale of the same member."""

    original: OriginalReference
    lines: Annotated[list[ReturnLineBody], Meta(min_length=1, max_length=1000)]
    reason: Reason | None = None


class ShownVoucherBody(Body, kw_only=True):
    """A voucher to use. `original` names the till's own hold on it."""

    code: VoucherCode
    amount: Amount | None = None
    original: UseReference | None = None


class HadBenefitBody(Body, kw_only=True):
    """A benefit to have on the spot."""

    code: Code
    quantity: Annotated[int, Meta(ge=1, le=1000)] = 1


class BurnBody(Body, kw_only=True):
    """Points to pay with, by number or by the money they are worth; those of a lock, if it says so.

    `keep` leaves the lock what is not spent of it.
    """

    type: Code
    points: Points | None = None
    value: Money | None = None
    lock: UUID | None = None
    keep: bool = False


class CompositeBody(PurchaseBody, kw_only=True):
    """A visit to the till: a purchase, with what comes back and what else pays for it.

    `lines` and `amount` may both be missing where there are returns. `tenders` are the till's own:
    they sum to what vouchers, points and returned items leave to pay.
    """

    mode: Literal["evaluate", "commit"]
    returns: Annotated[list[ReturnedBody], Meta(max_length=20)] = []
    vouchers: Annotated[list[ShownVoucherBody], Meta(max_length=20)] = []
    benefits: Annotated[list[HadBenefitBody], Meta(max_length=20)] = []
    burn: Annotated[list[BurnBody], Meta(max_length=20)] = []
    step_up: StepUpToken | None = None


def composite_request(
    body: CompositeBody, caller: Caller, request_id: str, *, at: datetime
) -> CompositeRequest:
    """Return the body as the use case takes it. Vouchers are looked up; unknown codes count.

    :raises ValidationFailed: if a commit lacks member or reference, or a part is none.
    """
    needed = ("member", "reference") if body.mode == "commit" else ("member",)
    for name in needed:
        if getattr(body, name) is None:
            message = f"A commit needs a {name}."
            raise ValidationFailed([FieldError(f"/{name}", "MISSING_FIELD", message)])
    assert body.member is not None
    digest, reference = digest_of("all-transaction", body), body.reference or "-"
    earn = EarnRequest(
        member=body.member.named(),
        partner_id=caller.partner_id,
        partner_code=caller.partner_code,
        reference=reference,
        digest=digest,
        basket=basket_of(body, may_be_empty=bool(body.returns)),
        offline=body.offline,
        request_id=request_id,
        promise=quotes.read(body.quote),
    )
    return CompositeRequest(
        earn=earn,
        by=caller.actor,
        returns=tuple(
            _return(each, place, body, reference, digest, caller, request_id)
            for place, each in enumerate(body.returns)
        ),
        benefits=_benefits(body),
        burns=_burns(body),
        vouchers=shown_vouchers(body, caller, at),
        step_up=Secret(body.step_up) if body.step_up else None,
    )


def _return(
    each: ReturnedBody,
    place: int,
    body: CompositeBody,
    reference: str,
    digest: bytes,
    caller: Caller,
    request_id: str,
) -> ReturnRequest:
    alone = ReturnBody(
        original=each.original,
        reference=reference,
        occurred_at=body.occurred_at,
        lines=each.lines,
        outlet=body.outlet,
        reason=each.reason,
    )
    try:
        wanted = return_request(alone, caller, request_id)
    except ValidationFailed as refusal:
        pointer = f"/returns/{place}"
        errors = [replace(error, pointer=pointer + error.pointer) for error in refusal.errors]
        raise ValidationFailed(errors) from None
    return replace(wanted, reversal=replace(wanted.reversal, digest=digest))


def _benefits(body: CompositeBody) -> tuple[tuple[str, int], ...]:
    seen: set[str] = set()
    for place, each in enumerate(body.benefits):
        if each.code in seen:
            message = "A benefit is named once, with its quantity."
            raise ValidationFailed([FieldError(f"/benefits/{place}/code", "REPEATED", message)])
        seen.add(each.code)
    return tuple((each.code, each.quantity) for each in body.benefits)


def _burns(body: CompositeBody) -> tuple[Burn, ...]:
    seen: set[tuple[str, UUID | None]] = set()
    burns = []
    for place, each in enumerate(body.burn):
        pointer = f"/burn/{place}"
        if (each.points is None) == (each.value is None):
            message = "Give exactly one of points and value."
            raise ValidationFailed([FieldError(f"{pointer}/points", "EXACTLY_ONE", message)])
        key = (each.type, None) if each.lock is None else ("", each.lock)
        if key in seen:
            message = "Free points of a type, and each lock, are named once."
            raise ValidationFailed([FieldError(pointer, "REPEATED", message)])
        seen.add(key)
        burns.append(
            Burn(
                point_type=each.type,
                points=each.points,
                value=Decimal(each.value.amount) if each.value else None,
                currency=each.value.currency if each.value else None,
                lock=each.lock,
                keep=each.keep,
            )
        )
    return tuple(burns)


def shown_vouchers(body: CompositeBody, caller: Caller, at: datetime) -> tuple[VoucherToUse, ...]:
    """Return the vouchers that were shown, looked up; unknown codes are counted.

    :raises VoucherNotFound, LockedOut: see `authentication.look_up`.
    """
    found = []
    for place, each in enumerate(body.vouchers):
        pointer = f"/vouchers/{place}"
        original = each.original.named(f"{pointer}/original") if each.original else None
        try:
            voucher = authentication.look_up(each.code, client_id=caller.client_id, at=at)
        except VoucherNotFound as refusal:
            refusal.extra["pointer"] = pointer
            raise
        found.append(VoucherToUse(voucher.pk, each.amount, original))
    return tuple(found)
