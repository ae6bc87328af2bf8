"""Partner History: what is settled with a partner, transaction by transaction."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from ledger.models import Transaction
from ledger.queries.configuration import Configuration, configuration
from ledger.queries.partner_history import (
    MovedPoints,
    MovedTotal,
    MovedTransaction,
    PartnerHistoryFilter,
    partner_history,
    partner_totals,
)
from ledger.queries.statements import currency_of, worth
from ledger.shapes.transactions import partner_code
from loyalty.api.fields import Answer, Body, Code, Instant, Short, check_instant
from loyalty.api.openapi import operation
from loyalty.api.pagination import LIMIT, LIMIT_MAX, make_cursor, read_cursor
from loyalty.api.views import ProgramViewSet
from loyalty.errors import CursorMismatch, FieldError, ValidationFailed
from loyalty.scopes import Scope
from partners.errors import PartnerNotFound
from partners.models import Partner
from partners.pseudonyms import pseudonym
from partners.queries import partner_in_sight

DEFAULT_PERIOD = timedelta(days=31)
LONGEST_PERIOD = timedelta(days=366)


class PartnerHistoryQuery(Body, kw_only=True):
    """Which movements; `from` inclusive, `to` exclusive, by the till's time or by ours."""

    start: Instant | None = msgspec.field(name="from", default=None)
    end: Instant | None = msgspec.field(name="to", default=None)
    by: Literal["occurred", "posted"] = "occurred"
    view: Literal["caused", "issued"] = "caused"
    outlet: Code | None = None
    kinds: Short | None = None
    type: Code | None = None
    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = LIMIT


class SignedMoney(Answer, kw_only=True):
    """An amount, which may be negative: what is paid to the partner."""

    amount: str
    currency: str


class MovedPartAnswer(Answer, kw_only=True):
    """Points of one type that moved one way, as a change of what members hold.

    `settlement` is points times rate, unrounded; positive, the partner pays. It is null where no
    rate was in force, and where another partner settles the movement.
    """

    movement: str
    type: str
    points: int
    rate: str | None
    settlement: SignedMoney | None


class MovedTotalAnswer(MovedPartAnswer, kw_only=True):
    """All points of the period that moved one way at one rate; `settlement` is rounded once."""

    transactions: int


class MovedTransactionAnswer(Answer, kw_only=True):
    """A transaction as it concerns the partner. The member is a pseudonym, stable per partner."""

    id: UUID
    kind: str
    partner: str
    reference: str | None
    outlet: str | None
    sale: UUID | None
    original: UUID | None
    member: str
    occurred_at: datetime
    posted_at: datetime
    movements: list[MovedPartAnswer]


class PartnerHistoryAnswer(Answer, kw_only=True):
    """A page, newest first in posting order. Totals of the whole period come with the first."""

    partner: str
    view: str
    start: datetime = msgspec.field(name="from")
    end: datetime = msgspec.field(name="to")
    results: list[MovedTransactionAnswer]
    totals: list[MovedTotalAnswer] | None
    next: str | None


class PartnerHistoryViewSet(ProgramViewSet):
    """What points did at a partner."""

    action_scopes = {"history": Scope.PARTNERS_READ}

    @operation(
        "Partner History",
        answer=PartnerHistoryAnswer,
        query=PartnerHistoryQuery,
        errors=(PartnerNotFound, CursorMismatch),
    )
    def history(self, request: Request, code: str) -> HttpResponse:
        query = self.query(PartnerHistoryQuery)
        # Of other partners not even that they are there: theirs are 404, as unknown ones.
        partner = partner_in_sight(code, only=self.caller.only_partner)
        settings = configuration()
        asked = msgspec.structs.replace(query, cursor=None, limit=LIMIT)
        position = read_cursor(query.cursor, (partner.pk, asked))
        start, end = self._period(query, position)
        wanted = PartnerHistoryFilter(
            partner_id=partner.pk,
            view=query.view.upper(),
            start=start,
            end=end,
            by_posted=query.by == "posted",
            future_tolerance=settings.future_tolerance.total_seconds(),
            outlet=query.outlet,
            kinds=_kinds(query.kinds),
            point_type=settings.point_type(query.type).id if query.type else None,
        )
        before = (datetime.fromisoformat(position[0]), UUID(position[1])) if position else None
        rows = partner_history(wanted, before=before, limit=query.limit + 1)
        shown, last = rows[: query.limit], None
        if len(rows) > query.limit:
            at = [shown[-1].posted_at.isoformat(), str(shown[-1].id)]
            last = make_cursor([*at, start.isoformat(), end.isoformat()], (partner.pk, asked))
        answers = Answers(partner, settings, self)
        return self.answer(
            PartnerHistoryAnswer(
                partner=partner.code,
                view=query.view,
                start=start,
                end=end,
                results=[answers.transaction(each) for each in shown],
                totals=None if position else list(map(answers.total, partner_totals(wanted))),
                next=last,
            )
        )

    def _period(self, query: PartnerHistoryQuery, position: Any) -> tuple[datetime, datetime]:
        """Return the period, which the first page fixes for those that follow.

        :raises ValidationFailed: if it is longer than a year.
        """
        if position:
            return datetime.fromisoformat(position[2]), datetime.fromisoformat(position[3])
        check_instant(query.start, "/from")
        check_instant(query.end, "/to")
        end = query.end or (query.start + DEFAULT_PERIOD if query.start else self.now())
        start = query.start or end - DEFAULT_PERIOD
        if end - start > LONGEST_PERIOD:
            message = f"A period is at most {LONGEST_PERIOD.days} days long."
            raise ValidationFailed([FieldError("/to", "OUT_OF_RANGE", message)])
        return start, end


class Answers:
    """How one partner's movements are answered."""

    def __init__(
        self, partner: Partner, settings: Configuration, view: PartnerHistoryViewSet
    ) -> None:
        self._partner, self._caller = partner, view.caller
        self._currency = currency_of(partner, settings.currency)
        self._types = {key: facts.code for key, facts in settings.point_types.items()}

    def transaction(self, row: MovedTransaction) -> MovedTransactionAnswer:
        """Return a transaction; reference and outlet only where the partner itself posted it."""
        own = row.partner_id == self._partner.pk
        return MovedTransactionAnswer(
            id=row.id,
            kind=row.kind,
            partner=partner_code(row.partner_id, self._caller),
            reference=row.reference if own else None,
            outlet=row.outlet if own else None,
            sale=row.sale if own else None,
            original=row.original,
            member=pseudonym(self._partner.pk, row.member_id),
            occurred_at=row.occurred_at,
            posted_at=row.posted_at,
            movements=[MovedPartAnswer(**self._moved(each)) for each in row.movements],
        )

    def total(self, row: MovedTotal) -> MovedTotalAnswer:
        """Return a total of the period."""
        return MovedTotalAnswer(**self._moved(row, rounded=True), transactions=row.transactions)

    def _moved(self, row: MovedPoints | MovedTotal, *, rounded: bool = False) -> dict[str, Any]:
        money, rate = None, row.rate
        if rate is not None:
            exact = worth(row.points, rate, self._currency) if rounded else row.points * rate
            money = SignedMoney(amount=plain(exact), currency=self._currency)
        return {
            "movement": row.movement,
            "type": self._types[row.point_type],
            "points": row.points,
            "rate": plain(rate) if rate is not None else None,
            "settlement": money,
        }


def plain(number: Decimal) -> str:
    """Return a number as decimal text, with at least two places and no zeros after them."""
    places = max(2, -int(number.normalize().as_tuple().exponent))
    return f"{number:.{places}f}"


def _kinds(text: str | None) -> tuple[str, ...]:
    """:raises ValidationFailed: if a kind is unknown; several are separated by commas."""
    kinds = tuple(text.split(",")) if text else ()
    for kind in kinds:
        if kind not in Transaction.Kind.values:
            raise ValidationFailed([FieldError("/kinds", "NOT_A_CHOICE", f"No kind {kind!r}.")])
    return kinds
