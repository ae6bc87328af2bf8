"""Voucher Authentication: a voucher at the till."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from ledger.queries.configuration import Configuration, configuration
from loyalty.api.fields import (
    Amount,
    Answer,
    Body,
    Code,
    Instant,
    MemberReference,
    Money,
    Reference,
    amount_of,
    check_instant,
)
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.digest import digest_of
from loyalty.errors import FieldError, MemberNotFound, ValidationFailed
from loyalty.scopes import Scope
from members.queries import resolve
from vouchers import codes
from vouchers.errors import (
    UseNotFound,
    VoucherExpired,
    VoucherNotFound,
    VoucherNotHere,
    VoucherReserved,
    VoucherTooSmall,
    VoucherUsed,
)
from vouchers.models import Voucher, VoucherType, VoucherUse
from vouchers.services import authentication, postings
from vouchers.services.authentication import AtTill
from vouchers.services.postings import Order
from vouchers.shapes.uses import UseReference, VoucherCode
from vouchers.shapes.vouchers import VoucherAnswer, money, voucher_answer


class AuthenticateBody(Body, kw_only=True):
    """A voucher shown at a till. `check` writes nothing and needs no reference."""

    code: VoucherCode
    action: Literal["check", "reserve", "use", "release", "undo"]
    member: MemberReference | None = None
    reference: Reference | None = None
    amount: Amount | None = None
    outlet: Code | None = None
    until: Instant | None = None
    original: UseReference | None = None


class AuthenticationAnswer(Answer, kw_only=True):
    """Whether the voucher can be used here, how it stands, and the hold or use made."""

    valid: bool
    status: str
    voucher: VoucherAnswer
    value: Money | None
    left: Money | None
    use: UUID | None
    until: datetime | None
    reasons: list[dict[str, Any]]


class VoucherAuthenticationViewSet(ProgramViewSet):
    """Vouchers shown at tills."""

    action_scopes = {"authenticate": Scope.VOUCHERS_USE}

    @operation(
        "Voucher Authentication",
        body=AuthenticateBody,
        answer=AuthenticationAnswer,
        status=201,
        replays=True,
        errors=(
            VoucherNotFound,
            VoucherUsed,
            VoucherReserved,
            VoucherExpired,
            VoucherNotHere,
            VoucherTooSmall,
            UseNotFound,
        ),
    )
    def authenticate(self, request: Request) -> HttpResponse:
        body, now = self.body(AuthenticateBody), self.now()
        check_instant(body.until, "/until")
        _check_action(body)
        voucher = authentication.look_up(body.code, client_id=self.caller.client_id, at=now)
        till = self._till(body)
        settings = configuration()
        if body.action == "check":
            refusal = authentication.check(voucher, till, at=now)
            return self.answer(_authenticated(voucher, None, refusal, now, settings))
        order = Order(
            kind=f"VOUCHER_{body.action.upper()}",
            member=None if voucher.member_id is None else {"id": voucher.member_id},
            partner_id=self.caller.partner_id,
            reference=till.reference,
            digest=digest_of("authenticate", body),
        )
        act = _ACTIONS[body.action]

        def work(book: Any, _: UUID) -> AuthenticationAnswer:
            held = authentication.locked(voucher.pk)
            done = act(held, till, at=now)
            return _authenticated(held, done, None, now, settings)

        return self.stored(postings.post(order, work, at=now))

    def _till(self, body: AuthenticateBody) -> AtTill:
        original: UUID | str | None = None
        if body.original is not None:
            original = body.original.named()
        return AtTill(
            partner_id=self.caller.partner_id,
            outlet=body.outlet,
            reference=body.reference or "",
            member_id=self._member_id(body.member),
            amount=amount_of(body.amount),
            until=body.until,
            original=original,
        )

    def _member_id(self, reference: MemberReference | None) -> int | None:
        """Return whom the till named; somebody unknown cannot be the voucher's member."""
        if reference is None:
            return None
        try:
            return resolve(reference.named()).pk
        except MemberNotFound:
            raise VoucherNotFound from None


_ACTIONS = {
    "reserve": authentication.reserve,
    "use": authentication.use,
    "release": authentication.release,
    "undo": authentication.undo,
}


def _check_action(body: AuthenticateBody) -> None:
    """:raises ValidationFailed: if a field is missing for the action, or not for it."""
    if body.action != "check" and body.reference is None:
        message = f"To {body.action} needs a reference."
        raise ValidationFailed([FieldError("/reference", "MISSING_FIELD", message)])
    if body.until is not None and body.action != "reserve":
        raise ValidationFailed([FieldError("/until", "NOT_HERE", "Only a hold has an end.")])
    if body.original is not None:
        body.original.named()
    if body.action in ("release", "undo") and body.original is None:
        message = "Name the hold or use."
        raise ValidationFailed([FieldError("/original", "MISSING_FIELD", message)])


def _authenticated(
    voucher: Voucher,
    use: VoucherUse | None,
    refusal: Any,
    at: datetime,
    settings: Configuration,
) -> AuthenticationAnswer:
    kind: VoucherType = voucher.voucher_type
    answer = voucher_answer(voucher, codes.masked(voucher.hint), at, settings)
    reasons = []
    if refusal is not None:
        reasons = [{"code": refusal.code, "detail": refusal.detail, **refusal.extra}]
    return AuthenticationAnswer(
        valid=refusal is None,
        status=answer.status,
        voucher=answer,
        value=money(use.amount, kind.currency) if use else answer.value,
        left=answer.left,
        use=use.pk if use else None,
        until=use.until if use else None,
        reasons=reasons,
    )
