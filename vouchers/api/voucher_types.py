"""The voucher types there are."""

from django.http import HttpResponse
from rest_framework.request import Request

from loyalty.api.fields import Answer, Money
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.scopes import Scope
from vouchers.models import VoucherType
from vouchers.queries.vouchers import types_offered
from vouchers.services.stock import left_of
from vouchers.shapes.vouchers import money


class VoucherTypeAnswer(Answer, kw_only=True):
    """A voucher type: what it gives, and its price in points. `left` is null without a limit."""

    code: str
    name: str
    gives: str
    value: Money | None
    percent: str | None
    product: str | None
    text: str | None
    in_parts: bool
    point_type: str | None
    points: int | None
    at_once: int
    lives: str | None
    left: int | None


class VoucherTypesAnswer(Answer, kw_only=True):
    """The voucher types that are issued now."""

    results: list[VoucherTypeAnswer]


class VoucherTypeViewSet(ProgramViewSet):
    """What vouchers there are."""

    action_scopes = {"list": Scope.PROGRAM_READ}
    member_actions = frozenset({"list"})

    @operation("Get Voucher Types", answer=VoucherTypesAnswer)
    def list(self, request: Request) -> HttpResponse:
        found = types_offered(self.now())
        left = left_of([each.pk for each in found])
        results = [_type(each, left.get(each.pk)) for each in found]
        return self.answer(VoucherTypesAnswer(results=results))


def _type(kind: VoucherType, left: int | None) -> VoucherTypeAnswer:
    return VoucherTypeAnswer(
        code=kind.code,
        name=kind.name,
        gives=kind.gives,
        value=money(kind.value, kind.currency),
        percent=f"{kind.percent:.2f}" if kind.percent is not None else None,
        product=kind.product or None,
        text=kind.text or None,
        in_parts=kind.in_parts,
        point_type=kind.point_type.code if kind.point_type else None,
        points=kind.points,
        at_once=kind.at_once,
        lives=kind.lives or None,
        left=left,
    )
