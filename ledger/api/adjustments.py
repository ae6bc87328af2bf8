"""Lock Points, Unlock Points, Point Expiry, and adjustments by hand."""

from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from ledger.kernel.dates import parse_policy
from ledger.services import adjustments, point_lock
from ledger.shapes.reversals import original_of_body
from ledger.shapes.transactions import TransactionAnswer, answer_of
from loyalty.api.fields import (
    Answer,
    Body,
    Code,
    Instant,
    MemberReference,
    OriginalReference,
    Percent,
    Points,
    Reason,
    Reference,
    check_instant,
)
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.digest import digest_of
from loyalty.errors import FieldError, ScopeMissing, ValidationFailed
from loyalty.scopes import Scope


class LockBody(Body, kw_only=True):
    """Points to hold: an amount of a member, or what is left of an earlier earn."""

    member: MemberReference | None = None
    original: OriginalReference | None = None
    type: Code | None = None
    points: Points | None = None
    reference: Reference
    lock_class: Literal["HOLD", "FRAUD"] = msgspec.field(name="class", default="HOLD")
    until: Instant | None = None
    reason: Reason | None = None


class UnlockBody(Body, kw_only=True):
    """A lock to free, all or part of it; named by its id, or by the earn it holds."""

    lock: UUID | None = None
    original: OriginalReference | None = None
    points: Points | None = None
    reference: Reference
    reason: Reason | None = None


class AdjustBody(Body, kw_only=True):
    """Points to give or take by hand."""

    member: MemberReference
    type: Code
    direction: Literal["CREDIT", "DEBIT"]
    points: Points
    expiry: Annotated[str, Meta(max_length=64)] | None = None
    reference: Reference
    reason: Reason


class ExpireBody(Body, kw_only=True):
    """A percentage of the available points to expire."""

    type: Code
    percent: Percent
    reason: Reason
    dry_run: bool = False
    reference: Reference | None = None


class ExpiryPreviewAnswer(Answer, kw_only=True):
    """What would expire; nothing was posted."""

    dry_run: bool
    type: str
    points: int
    available: int


class PointLockViewSet(ProgramViewSet):
    """Holding points and letting them go. Fraud locks need points:freeze, to place and to free."""

    action_scopes = {"lock": Scope.POINTS_LOCK, "unlock": Scope.POINTS_LOCK}

    @operation("Lock Points", body=LockBody, answer=TransactionAnswer, status=201, replays=True)
    def lock(self, request: Request) -> HttpResponse:
        body, now = self.body(LockBody), self.now()
        check_instant(body.until, "/until")
        if body.lock_class == "FRAUD" and Scope.POINTS_FREEZE not in self.caller.scopes:
            raise ScopeMissing(Scope.POINTS_FREEZE)
        _check_lock(body)
        wanted = point_lock.LockRequest(
            partner_id=self.caller.partner_id,
            house=self.caller.house,
            reference=body.reference,
            digest=digest_of("lock", body),
            occurred_at=now,
            member=body.member.named() if body.member else None,
            original=original_of_body(body.original, self.caller) if body.original else None,
            point_type=body.type,
            points=body.points,
            lock_class=body.lock_class,
            until=body.until,
            reason=body.reason,
            request_id=self.request_id,
        )
        done = point_lock.lock_points(wanted, at=now)
        answer = answer_of(done.book, done.transaction, done.earlier, self.caller)
        return self.posted(answer, replayed=done.earlier is not None)

    @operation("Unlock Points", body=UnlockBody, answer=TransactionAnswer, status=201, replays=True)
    def unlock(self, request: Request) -> HttpResponse:
        body, now = self.body(UnlockBody), self.now()
        if (body.lock is None) == (body.original is None):
            message = "Give exactly one of lock and original."
            raise ValidationFailed([FieldError("/lock", "EXACTLY_ONE", message)])
        wanted = point_lock.UnlockRequest(
            partner_id=self.caller.partner_id,
            house=self.caller.house,
            may_unfreeze=Scope.POINTS_FREEZE in self.caller.scopes,
            reference=body.reference,
            digest=digest_of("unlock", body),
            occurred_at=now,
            lock=body.lock,
            original=original_of_body(body.original, self.caller) if body.original else None,
            points=body.points,
            reason=body.reason,
            request_id=self.request_id,
        )
        done = point_lock.unlock_points(wanted, at=now)
        answer = answer_of(done.book, done.transaction, done.earlier, self.caller)
        return self.posted(answer, replayed=done.earlier is not None)


def _check_lock(body: LockBody) -> None:
    """:raises ValidationFailed: unless an amount of a member, or an original, is asked for."""
    if (body.member is None) == (body.original is None):
        message = "Give exactly one of member and original."
        raise ValidationFailed([FieldError("/member", "EXACTLY_ONE", message)])
    if body.member is not None:
        for name in ("type", "points"):
            if getattr(body, name) is None:
                raise ValidationFailed([FieldError(f"/{name}", "MISSING_FIELD", "Is missing.")])
    elif body.points is not None:
        message = "A lock of a sale takes what is left of it."
        raise ValidationFailed([FieldError("/points", "NOT_HERE", message)])


class AdjustmentViewSet(ProgramViewSet):
    """Points moved by hand."""

    action_scopes = {"adjust": Scope.POINTS_ADJUST, "expire": Scope.POINTS_ADJUST}

    @operation("Adjust Points", body=AdjustBody, answer=TransactionAnswer, status=201, replays=True)
    def adjust(self, request: Request) -> HttpResponse:
        body, now = self.body(AdjustBody), self.now()
        if body.expiry is not None:
            _check_policy(body.expiry)
        wanted = adjustments.AdjustmentRequest(
            member=body.member.named(),
            partner_id=self.caller.partner_id,
            reference=body.reference,
            digest=digest_of("adjust", body),
            occurred_at=now,
            point_type=body.type,
            direction=body.direction,
            points=body.points,
            reason=body.reason,
            expiry=body.expiry,
            request_id=self.request_id,
        )
        done = adjustments.adjust_points(wanted, at=now)
        answer = answer_of(done.book, done.transaction, done.earlier, self.caller)
        return self.posted(answer, replayed=done.earlier is not None)

    @operation("Point Expiry", body=ExpireBody, answer=TransactionAnswer, status=201, replays=True)
    def expire(self, request: Request, number: str) -> HttpResponse:
        body, now = self.body(ExpireBody), self.now()
        if body.reference is None and not body.dry_run:
            message = "Give a reference, or dry_run."
            raise ValidationFailed([FieldError("/reference", "MISSING_FIELD", message)])
        wanted = adjustments.ExpiryRequest(
            member=self.member_named(number),
            partner_id=self.caller.partner_id,
            reference=body.reference or "",
            digest=digest_of(f"expire/{number}", body),
            occurred_at=now,
            point_type=body.type,
            percent=Decimal(body.percent),
            reason=body.reason,
            request_id=self.request_id,
        )
        if body.dry_run:
            preview = adjustments.preview_expiry(wanted, at=now)
            return self.answer(
                ExpiryPreviewAnswer(
                    dry_run=True,
                    type=body.type,
                    points=preview.points,
                    available=preview.account.available,
                )
            )
        done = adjustments.expire_percentage(wanted, at=now)
        answer = answer_of(done.book, done.transaction, done.earlier, self.caller)
        return self.posted(answer, replayed=done.earlier is not None)


def _check_policy(text: str) -> None:
    """:raises ValidationFailed: if the text is not an expiry policy."""
    try:
        parse_policy(text)
    except ValueError as error:
        raise ValidationFailed([FieldError("/expiry", "NOT_A_POLICY", f"{error}.")]) from None
