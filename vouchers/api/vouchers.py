"""Redeem Points Voucher, Voucher Allocation and Voucher History."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from ledger.queries.configuration import configuration
from ledger.shapes.transactions import TransactionAnswer, answer_of
from loyalty.api.fields import (
    Answer,
    Body,
    Code,
    Instant,
    MemberReference,
    Reason,
    Reference,
    StepUpToken,
    check_instant,
)
from loyalty.api.openapi import operation
from loyalty.api.pagination import LIMIT, LIMIT_MAX, make_cursor, read_cursor
from loyalty.api.views import ProgramViewSet
from loyalty.caller import CallerKind
from loyalty.digest import digest_of
from loyalty.errors import FieldError, ValidationFailed
from loyalty.scopes import Scope
from loyalty.secret import Secret
from members.queries import resolve
from vouchers import codes
from vouchers.errors import OutOfStock, VoucherLimit, VoucherTypeUnknown
from vouchers.models import Voucher, VoucherUse
from vouchers.queries.vouchers import uses_of, vouchers_of_member
from vouchers.services import allocation, postings, redemption
from vouchers.services.postings import Order
from vouchers.shapes.vouchers import UseAnswer, VoucherAnswer, money, voucher_answer

Quantity = Annotated[int, Meta(ge=1, le=1000)]


class RedeemVoucherBody(Body, kw_only=True):
    """Vouchers of one type, for points."""

    member: MemberReference | None = None
    reference: Reference
    occurred_at: Instant | None = None
    voucher_type: Code
    quantity: Quantity = 1
    type: Code | None = None
    outlet: Code | None = None
    step_up: StepUpToken | None = None


class AllocateBody(Body, kw_only=True):
    """A voucher or benefit to give, whatever the member's tier."""

    voucher_type: Code | None = None
    benefit: Code | None = None
    quantity: Quantity = 1
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    reason: Reason
    reference: Reference


class BoughtAnswer(TransactionAnswer, kw_only=True):
    """The redemption, and the vouchers that it bought."""

    vouchers: list[VoucherAnswer]


class AllocationAnswer(Answer, kw_only=True):
    """What was given: vouchers with their codes, or uses of a benefit."""

    id: UUID
    member: str
    vouchers: list[VoucherAnswer]
    benefit: str | None
    quantity: int
    valid_to: datetime | None


class VouchersQuery(Body, kw_only=True):
    """A page of a member's vouchers; `status` as it stands now."""

    status: Literal["ISSUED", "RESERVED", "USED", "EXPIRED", "CANCELLED"] | None = None
    origin: Literal["POINTS", "BENEFIT", "SWEEPSTAKE", "PROMOTION", "ALLOCATION"] | None = None
    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = LIMIT


class VouchersAnswer(Answer, kw_only=True):
    """A member's vouchers, the newest first."""

    results: list[VoucherAnswer]
    next: str | None


class VoucherViewSet(ProgramViewSet):
    """Vouchers: bought, given, and listed."""

    action_scopes = {
        "redeem": Scope.POINTS_REDEEM,
        "allocate": Scope.VOUCHERS_WRITE,
        "history": Scope.VOUCHERS_READ,
    }
    member_actions = frozenset({"redeem", "history"})

    @operation(
        "Redeem Points Voucher",
        body=RedeemVoucherBody,
        answer=BoughtAnswer,
        status=201,
        replays=True,
        errors=(VoucherTypeUnknown, OutOfStock, VoucherLimit),
    )
    def redeem(self, request: Request) -> HttpResponse:
        body, now = self.body(RedeemVoucherBody), self.now()
        check_instant(body.occurred_at, "/occurred_at")
        wanted = redemption.VoucherRequest(
            member=self.member_in_body(body.member),
            partner_id=self.caller.partner_id,
            reference=body.reference,
            digest=digest_of(f"redeem-voucher/{self.caller.member_id or ''}", body),
            occurred_at=body.occurred_at or now,
            voucher_type=body.voucher_type,
            quantity=body.quantity,
            point_type=body.type,
            outlet=body.outlet,
            step_up=Secret(body.step_up) if body.step_up else None,
            request_id=self.request_id,
        )
        done = redemption.redeem_voucher(wanted, at=now)
        posted = answer_of(done.book, done.transaction, done.earlier, self.caller)
        settings = configuration(done.book.epoch)
        vouchers = [
            voucher_answer(each.voucher, each.code, now, settings) for each in done.vouchers
        ]
        answer = BoughtAnswer(**msgspec.structs.asdict(posted), vouchers=vouchers)
        return self.posted(answer, replayed=done.earlier is not None)

    @operation(
        "Voucher Allocation", body=AllocateBody, answer=AllocationAnswer, status=201, replays=True
    )
    def allocate(self, request: Request, number: str) -> HttpResponse:
        body, now = self.body(AllocateBody), self.now()
        check_instant(body.valid_from, "/valid_from")
        check_instant(body.valid_to, "/valid_to")
        if (body.voucher_type is None) == (body.benefit is None):
            message = "Give exactly one of voucher_type and benefit."
            raise ValidationFailed([FieldError("/voucher_type", "EXACTLY_ONE", message)])
        wanted = allocation.AllocationRequest(
            partner_id=self.caller.partner_id,
            by=self.caller.actor,
            voucher_type=body.voucher_type,
            benefit=body.benefit,
            quantity=body.quantity,
            valid_from=body.valid_from,
            valid_to=body.valid_to,
            reason=body.reason,
        )
        order = Order(
            kind="ALLOCATION",
            member=self.member_named(number),
            partner_id=self.caller.partner_id,
            reference=body.reference,
            digest=digest_of(f"allocate/{number}", body),
        )

        def work(book: Any, posting_id: UUID) -> AllocationAnswer:
            done = allocation.allocate(book, wanted, posting_id, at=now)
            settings = configuration(book.epoch)
            return AllocationAnswer(
                id=posting_id,
                member=book.member.number,
                vouchers=[
                    voucher_answer(each.voucher, each.code, now, settings) for each in done.vouchers
                ],
                benefit=body.benefit,
                quantity=body.quantity,
                valid_to=done.valid_to,
            )

        return self.stored(postings.post(order, work, at=now))

    @operation("Voucher History", answer=VouchersAnswer, query=VouchersQuery)
    def history(self, request: Request, number: str) -> HttpResponse:
        query, now = self.query(VouchersQuery), self.now()
        member = resolve(self.member_named(number))
        filters = [member.pk, query.status, query.origin]
        position = read_cursor(query.cursor, filters)
        page = vouchers_of_member(
            member.pk,
            at=now,
            before=UUID(position) if position else None,
            at_most=query.limit + 1,
            origin=query.origin,
            status=query.status,
        )
        more, page = len(page) > query.limit, page[: query.limit]
        uses, settings = uses_of(row.pk for row in page), configuration()
        results = []
        for row in page:
            answer = voucher_answer(row, self._shown_code(row), now, settings)
            answer.uses = [self._use(use, row) for use in uses.get(row.pk, [])]
            results.append(answer)
        cursor = make_cursor(str(page[-1].pk), filters) if more else None
        return self.answer(VouchersAnswer(results=results, next=cursor))

    def _shown_code(self, voucher: Voucher) -> str:
        """Return the whole code to its member, the house and its issuer; to others its end."""
        caller = self.caller
        own = caller.kind is CallerKind.MEMBER or caller.house
        if own or voucher.partner_id == caller.partner_id:
            return codes.unseal(voucher.code_sealed)
        return codes.masked(voucher.hint)

    def _use(self, use: VoucherUse, voucher: Voucher) -> UseAnswer:
        mine = self.caller.sees_all_of_member or use.partner_id == self.caller.partner_id
        currency = voucher.voucher_type.currency
        return UseAnswer(
            id=use.pk,
            at=use.at,
            amount=money(use.amount, currency),
            partner=use.partner.code if mine else None,
            outlet=(use.outlet or None) if mine else None,
            reference=use.reference if mine else None,
        )
