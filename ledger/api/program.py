"""The point types of the programme, as callers meet them."""

from datetime import datetime

from django.http import HttpResponse
from rest_framework.request import Request

from ledger.models import PointType
from ledger.queries.configuration import PointTypeFacts, configuration
from loyalty.api.fields import Answer
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.scopes import Scope


class ValueAnswer(Answer, kw_only=True):
    """The money that one smallest unit is worth now, as decimal text."""

    value: str
    currency: str
    valid_from: datetime
    valid_to: datetime | None


class PointTypeAnswer(Answer, kw_only=True):
    """A currency of points. Points are counted in its smallest unit, with `decimals` places."""

    code: str
    name: str
    decimals: int
    redeemable: bool
    qualifying: bool
    expiry: str | None
    minimum: int
    step: int
    daily_limit: int | None
    values: list[ValueAnswer]


class PointTypesAnswer(Answer, kw_only=True):
    """The point types of the programme."""

    results: list[PointTypeAnswer]
    next: None = None


class PointTypeViewSet(ProgramViewSet):
    """Point types with what they are worth."""

    action_scopes = {"point_types": Scope.PROGRAM_READ}
    member_actions = frozenset(action_scopes)

    @operation("Get Point Types", answer=PointTypesAnswer)
    def point_types(self, request: Request) -> HttpResponse:
        facts, now = configuration().point_types, self.now()
        rows = PointType.objects.filter(active=True).order_by("code")
        found = [_answer(row, facts[row.pk], now) for row in rows if row.pk in facts]
        return self.answer_known(PointTypesAnswer(results=found))


def _answer(row: PointType, facts: PointTypeFacts, now: datetime) -> PointTypeAnswer:
    return PointTypeAnswer(
        code=row.code,
        name=row.name,
        decimals=row.decimals,
        redeemable=row.redeemable,
        qualifying=row.qualifying,
        expiry=row.expiry or None,
        minimum=row.minimum,
        step=row.step,
        daily_limit=row.daily_limit,
        values=[
            ValueAnswer(
                value=f"{each.value.normalize():f}",
                currency=each.currency,
                valid_from=each.valid_from,
                valid_to=each.valid_to,
            )
            for each in facts.rates
            if each.valid_from <= now and (each.valid_to is None or now < each.valid_to)
        ],
    )
