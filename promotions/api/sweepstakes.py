"""Get Sweep Stake, Ticket Allocation, and the draw as anyone may check it."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from msgspec import Meta
from rest_framework.request import Request

from ledger.queries.configuration import configuration
from ledger.queries.history import posted_of_draft
from ledger.shapes.transactions import BalanceAnswer
from loyalty.api.fields import (
    Answer,
    Body,
    Code,
    Instant,
    MemberReference,
    Reference,
    StepUpToken,
    check_instant,
)
from loyalty.api.languages import Chosen, negotiate
from loyalty.api.openapi import operation
from loyalty.api.pagination import LIMIT, LIMIT_MAX, make_cursor, read_cursor
from loyalty.api.views import ProgramViewSet
from loyalty.caller import CallerKind
from loyalty.digest import digest_of
from loyalty.errors import ScopeMissing
from loyalty.scopes import Scope
from loyalty.secret import Secret
from loyalty.spreadsheet import CSV
from members.queries import resolve
from promotions.errors import (
    EntryNotOffered,
    NotDrawn,
    SweepstakeClosed,
    SweepstakeNotFound,
    TicketLimit,
)
from promotions.models import Draw, Sweepstake, Winner
from promotions.queries import sweepstakes as reads
from promotions.queries.entrants import Entrant, entrant
from promotions.queries.sweepstakes import Held
from promotions.services.rewarding import sweepstakes
from promotions.services.rewarding.sweepstakes import Entered, EntryRequest
from promotions.shapes.sweepstakes import (
    DrawAnswer,
    SweepstakeAnswer,
    draw_answer,
    sweepstake_answer,
)
from vouchers.errors import NotEligible
from vouchers.services import postings
from vouchers.services.postings import Order

NUMBERS_SHOWN = 1_000
MemberNumber = Annotated[str, Meta(pattern=r"^[0-9]{1,20}$(?!\n)")]


class SweepstakesQuery(Body, kw_only=True):
    """Which sweepstakes. With `member`, those open to it, and what it holds."""

    status: Literal["UPCOMING", "OPEN", "CLOSED", "DRAWN", "WITHDRAWN"] | None = None
    member: MemberNumber | None = None
    date: Instant | None = None
    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = LIMIT


class SweepstakeQuery(Body, kw_only=True):
    """Whose tickets are told with a sweepstake."""

    member: MemberNumber | None = None


class EnterBody(Body, kw_only=True):
    """Tickets for a member: for nothing, or for points."""

    member: MemberReference | None = None
    reference: Reference
    occurred_at: Instant | None = None
    quantity: Annotated[int, Meta(ge=1, le=1000)] = 1
    source: Literal["FREE", "POINTS"]
    type: Code | None = None
    outlet: Code | None = None
    step_up: StepUpToken | None = None


class SweepstakesAnswer(Answer, kw_only=True):
    """A page of sweepstakes, by code."""

    results: list[SweepstakeAnswer]
    next: str | None


class CostAnswer(Answer, kw_only=True):
    """What tickets cost."""

    type: str
    points: int


class EnteredAnswer(Answer, kw_only=True):
    """The numbers of the tickets, and how many the member then holds."""

    id: UUID
    sweepstake: str
    member: str
    source: str
    tickets: list[int]
    held: int
    at_most: int | None
    draws_at: datetime
    cost: CostAnswer | None
    transaction: UUID | None
    balances: list[BalanceAnswer]


class SweepstakeViewSet(ProgramViewSet):
    """Sweepstakes, and tickets for them."""

    action_scopes = {
        "page": Scope.SWEEPSTAKES_READ,
        "retrieve": Scope.SWEEPSTAKES_READ,
        "enter": Scope.SWEEPSTAKES_WRITE,
    }
    member_actions = frozenset({"page", "retrieve", "enter"})

    @operation("Get Sweep Stake", answer=SweepstakesAnswer, query=SweepstakesQuery)
    def page(self, request: Request) -> HttpResponse:
        query = self.query(SweepstakesQuery)
        check_instant(query.date, "/date")
        at, who = query.date or self.now(), self._who(query.member)
        wanted = reads.Filter(at=at, status=query.status, hidden=self._writes)
        filters = [query.status, query.date, who.id if who else None]
        found = reads.sweepstakes_page(
            wanted,
            after=str(read_cursor(query.cursor, filters) or ""),
            at_most=query.limit + 1,
            who=who,
            on=self._day(at),
        )
        more, found = len(found) > query.limit, found[: query.limit]
        chosen = negotiate(self.request._request)
        results = self._answers(found, who, at, chosen)
        cursor = make_cursor(found[-1].code, filters) if more else None
        return self.answer(SweepstakesAnswer(results=results, next=cursor), headers=chosen.headers)

    @operation("Get One Sweep Stake", answer=SweepstakeAnswer, query=SweepstakeQuery)
    def retrieve(self, request: Request, code: str) -> HttpResponse:
        query, at = self.query(SweepstakeQuery), self.now()
        found = _seen(code, hidden=self._writes)
        who = self._who(query.member)
        chosen = negotiate(self.request._request)
        (answer,) = self._answers([found], who, at, chosen)
        if who is not None:
            answer.numbers = reads.numbers_of(found, who.id, at_most=NUMBERS_SHOWN)
        return self.answer(answer, headers=chosen.headers)

    @operation(
        "Ticket Allocation",
        body=EnterBody,
        answer=EnteredAnswer,
        status=201,
        replays=True,
        errors=(SweepstakeNotFound, SweepstakeClosed, TicketLimit, EntryNotOffered, NotEligible),
    )
    def enter(self, request: Request, code: str) -> HttpResponse:
        body, now = self.body(EnterBody), self.now()
        check_instant(body.occurred_at, "/occurred_at")
        self._check_scope(body.source)
        member = self.member_in_body(body.member)
        digest = digest_of(f"enter/{code}/{self.caller.member_id or ''}", body)
        wanted = EntryRequest(
            member=member,
            partner_id=self.caller.partner_id,
            reference=body.reference,
            digest=digest,
            occurred_at=body.occurred_at or now,
            sweepstake=code,
            quantity=body.quantity,
            source=body.source,
            point_type=body.type,
            outlet=body.outlet,
            step_up=Secret(body.step_up) if body.step_up else None,
            request_id=self.request_id,
        )
        order = Order(
            kind="TICKETS",
            member=member,
            partner_id=self.caller.partner_id,
            reference=body.reference,
            digest=digest,
            spends=body.source == "POINTS",
        )

        def work(book: Any, posting_id: UUID) -> EnteredAnswer:
            entered = sweepstakes.enter(book, wanted, posting_id, at=now)
            return _entered(book, entered, body.source, posting_id)

        return self.stored(postings.post(order, work, at=now))

    @property
    def _writes(self) -> bool:
        return Scope.SWEEPSTAKES_WRITE in self.caller.scopes

    def _check_scope(self, source: str) -> None:
        """:raises ScopeMissing: if a client that may not spend points would buy tickets."""
        session = self.caller.kind is CallerKind.MEMBER
        if source == "POINTS" and not session and Scope.POINTS_REDEEM not in self.caller.scopes:
            raise ScopeMissing(Scope.POINTS_REDEEM)

    def _who(self, number: str | None) -> Entrant | None:
        """Return whose tickets are told: a session's own are all it sees."""
        if self.caller.member_id is not None:
            return entrant(self.caller.member_id, self.now())
        return None if number is None else entrant(resolve({"number": number}).pk, self.now())

    def _day(self, at: datetime) -> date:
        return at.astimezone(configuration().zone).date()

    def _answers(
        self, found: list[Sweepstake], who: Entrant | None, at: datetime, chosen: Chosen
    ) -> list[SweepstakeAnswer]:
        keys = [row.pk for row in found]
        totals = reads.totals_of(keys)
        held = reads.held_of(who.id, keys) if who is not None else {}
        winners = reads.winners_of(row.draw.pk for row in found if hasattr(row, "draw"))
        on = self._day(at)
        return [
            sweepstake_answer(
                row,
                at=at,
                on=on,
                chosen=chosen,
                total=totals.get(row.pk, 0),
                who=who,
                held=held.get(row.pk, Held()),
                winners=winners.get(row.draw.pk, []) if hasattr(row, "draw") else [],
                tells_why=self.caller.sees_all_of_member,
            )
            for row in found
        ]


def _seen(code: str, *, hidden: bool) -> Sweepstake:
    """:raises SweepstakeNotFound: if there is none of this code for the caller."""
    found = reads.published(hidden=hidden).filter(code=code).first()
    if found is None:
        raise SweepstakeNotFound
    return found


def _entered(book: Any, entered: Entered, source: str, posting_id: UUID) -> EnteredAnswer:
    sweepstake, balances = entered.sweepstake, []
    codes = {key: each.code for key, each in configuration(book.epoch).point_types.items()}
    if entered.transaction is not None:
        drafted = posted_of_draft(entered.transaction, book.book.member_id)
        balances = [
            BalanceAnswer(
                type=codes[each.point_type],
                available=each.available,
                pending=each.pending,
                locked=each.locked,
                debt=each.debt,
            )
            for each in sorted(drafted.balances, key=lambda account: account.point_type)
        ]
    cost = None
    if source == "POINTS" and sweepstake.point_type is not None and sweepstake.points is not None:
        cost = CostAnswer(
            type=sweepstake.point_type.code, points=sweepstake.points * len(entered.tickets)
        )
    return EnteredAnswer(
        id=posting_id,
        sweepstake=sweepstake.code,
        member=book.member.number,
        source=source,
        tickets=entered.tickets,
        held=entered.held,
        at_most=sweepstake.at_most,
        draws_at=sweepstake.draws_at,
        cost=cost,
        transaction=entered.transaction.id if entered.transaction else None,
        balances=balances,
    )


class DrawViewSet(ProgramViewSet):
    """A draw with all that it takes to find the same winners. Nobody is named."""

    action_scopes = {"retrieve": Scope.SWEEPSTAKES_READ, "tickets": Scope.SWEEPSTAKES_READ}
    member_actions = frozenset({"retrieve", "tickets"})

    @operation("Get Draw", answer=DrawAnswer, errors=(SweepstakeNotFound, NotDrawn))
    def retrieve(self, request: Request, code: str) -> HttpResponse:
        draw = self._draw(code)
        winners: list[Winner] = reads.winners_of([draw.pk]).get(draw.pk, [])
        return self.answer(draw_answer(draw, winners))

    @operation("Get Draw Tickets", answer=None)
    def tickets(self, request: Request, code: str) -> StreamingHttpResponse:
        draw = self._draw(code)
        name = f"{code}-tickets.csv"
        return StreamingHttpResponse(
            reads.list_lines(draw.sweepstake),
            content_type=CSV,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def _draw(self, code: str) -> Draw:
        """:raises NotDrawn: if that is still to come."""
        found = _seen(code, hidden=Scope.SWEEPSTAKES_WRITE in self.caller.scopes)
        draw: Draw | None = getattr(found, "draw", None)
        if draw is None:
            raise NotDrawn(draws_at=found.draws_at)
        return draw
