"""Exchanges as their partner fulfils them: what was sent, and what became of it."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from ledger.services.exchange_settlement import settle
from loyalty.api.fields import Answer, Body, Reason
from loyalty.api.openapi import operation
from loyalty.api.pagination import LIMIT, LIMIT_MAX, make_cursor, read_cursor
from loyalty.api.views import ProgramViewSet
from loyalty.scopes import Scope
from partners.errors import ExchangeNotFound, ExchangeSettled
from partners.models import Exchange
from partners.queries import ExchangeFilter, exchanges_of


class ExchangeQuery(Body, kw_only=True):
    """Which exchanges."""

    status: Literal["SENT", "DONE", "FAILED"] | None = None
    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = LIMIT


class SettleBody(Body, kw_only=True):
    """What became of an exchange."""

    status: Literal["DONE", "FAILED"]
    reason: Reason | None = None


class ExchangeAnswer(Answer, kw_only=True):
    """Points that bought units: `id` is that of the redemption."""

    id: UUID
    partner: str
    account: str
    type: str
    points: int
    fee: int
    units: int
    status: str
    reason: str | None
    sent_at: datetime
    settled_at: datetime | None


class ExchangesAnswer(Answer, kw_only=True):
    """A page of exchanges, the oldest first."""

    results: list[ExchangeAnswer]
    next: str | None


class ExchangeViewSet(ProgramViewSet):
    """An exchange partner sees and settles what was sent to it; the house, everything."""

    action_scopes = {"page": Scope.PARTNERS_READ, "settle": Scope.POINTS_REVERSE}

    @operation("Get Exchanges", answer=ExchangesAnswer, query=ExchangeQuery)
    def page(self, request: Request) -> HttpResponse:
        query = self.query(ExchangeQuery)
        wanted = ExchangeFilter(partner_id=self.caller.only_partner, status=query.status)
        after = read_cursor(query.cursor, wanted)
        rows = exchanges_of(wanted, after=after, limit=query.limit + 1)
        shown = rows[: query.limit]
        last = shown[-1] if len(rows) > query.limit else None
        position = [last.sent_at.isoformat(), str(last.pk)] if last else None
        return self.answer(
            ExchangesAnswer(
                results=[_answer(each) for each in shown],
                next=make_cursor(position, wanted) if position else None,
            )
        )

    @operation(
        "Settle Exchange",
        body=SettleBody,
        answer=ExchangeAnswer,
        errors=(ExchangeNotFound, ExchangeSettled),
    )
    def settle(self, request: Request, id: UUID) -> HttpResponse:  # noqa: A002 the URL's word
        body = self.body(SettleBody)

        def work() -> ExchangeAnswer:
            return _answer(
                settle(
                    id,
                    body.status,
                    partner_id=self.caller.only_partner,
                    reason=body.reason or "",
                    at=self.now(),
                )
            )

        return self.change(body, work)


def _answer(row: Exchange) -> ExchangeAnswer:
    return ExchangeAnswer(
        id=row.pk,
        partner=row.partner.code,
        account=row.account,
        type=row.point_type,
        points=row.points,
        fee=row.fee,
        units=row.units,
        status=row.status,
        reason=row.reason or None,
        sent_at=row.sent_at,
        settled_at=row.settled_at,
    )
