"""Event Rewarding, and the event types of the programme."""

from typing import Annotated, Any

import msgspec
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from ledger.errors import InFuture, TooOld
from ledger.queries.configuration import configuration
from ledger.shapes.transactions import TransactionAnswer, answer_of, award_answer, number_of
from loyalty.api.fields import (
    Answer,
    Body,
    Code,
    Instant,
    MemberReference,
    Name,
    Reference,
    Short,
    Slug,
    check_instant,
)
from loyalty.api.languages import Chosen, negotiate
from loyalty.api.openapi import operation
from loyalty.api.pagination import LIMIT, LIMIT_MAX, make_cursor, read_cursor
from loyalty.api.views import ProgramViewSet
from loyalty.digest import digest_of
from loyalty.scopes import Scope
from members.errors import StageForbids
from promotions.api.earning import IncludeQuery, explain_stored
from promotions.errors import EventSchemaViolation
from promotions.models import Evaluation, EventType
from promotions.queries.event_types import event_types_page
from promotions.services import events
from promotions.shapes.rewards import rewards_answer

Attributes = Annotated[dict[Name, Any], Meta(max_length=100)]


class RelatedBody(Body, kw_only=True):
    """What an event was about: a record of the programme's masters, or of the caller's own."""

    entity: Slug
    code: Annotated[Short, Meta(min_length=1)]


class EventBody(Body, kw_only=True):
    """Something a member did. `referrer` is the other side, where the type has two."""

    member: MemberReference
    type: Code
    reference: Reference
    occurred_at: Instant
    attributes: Attributes = {}
    referrer: MemberReference | None = None
    related: RelatedBody | None = None
    outlet: Code | None = None
    channel: Name | None = None


class EventTypeAnswer(Answer, kw_only=True):
    """A kind of event; `attributes` is the schema of what its events may hold."""

    code: str
    name: str
    description: str
    attributes: dict[str, Any]
    cooldown: str | None
    once_per: str | None
    backdated: bool
    two_sided: bool
    own: bool


class EventTypesQuery(Body, kw_only=True):
    """A page of event types, by code."""

    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = LIMIT


class EventTypesAnswer(Answer, kw_only=True):
    """The event types that the caller may send; the programme sees its own, too."""

    results: list[EventTypeAnswer]
    next: str | None


class EventViewSet(ProgramViewSet):
    """What members do that is no purchase."""

    action_scopes = {"reward": Scope.EVENTS_WRITE, "types": Scope.PROGRAM_READ}
    member_actions = frozenset({"types"})

    @operation(
        "Event Rewarding",
        body=EventBody,
        answer=TransactionAnswer,
        query=IncludeQuery,
        status=201,
        replays=True,
        errors=(EventSchemaViolation, StageForbids, TooOld, InFuture),
    )
    def reward(self, request: Request) -> HttpResponse:
        include, body = self.query(IncludeQuery), self.body(EventBody)
        check_instant(body.occurred_at, "/occurred_at")
        done = events.reward_event(self._request(body), at=self.now())
        answer = event_answer(
            done, answer_of(done.book, done.transaction, done.earlier, self.caller)
        )
        if include.include is not None:
            stored = Evaluation.objects.filter(pk=answer.id).first()
            if stored is not None:
                explain_stored(answer, stored, configuration(done.book.epoch))
        return self.posted(answer, replayed=done.earlier is not None)

    def _request(self, body: EventBody) -> events.EventRequest:
        return events.EventRequest(
            member=body.member.named(),
            referrer=body.referrer.named("/referrer") if body.referrer else None,
            partner_id=self.caller.partner_id,
            partner_code=self.caller.partner_code,
            house=self.caller.house,
            type=body.type,
            reference=body.reference,
            digest=digest_of("event", body),
            occurred_at=body.occurred_at,
            attributes=body.attributes,
            related=msgspec.structs.asdict(body.related) if body.related else None,
            outlet=body.outlet,
            channel=body.channel,
            request_id=self.request_id,
        )

    @operation("Get Event Types", answer=EventTypesAnswer, query=EventTypesQuery)
    def types(self, request: Request) -> HttpResponse:
        query = self.query(EventTypesQuery)
        language = negotiate(request._request)
        sends = None if self.caller.house else self.caller.partner_id
        wanted = ("event-types", sends)
        after = read_cursor(query.cursor, wanted)
        rows = event_types_page(after=after or "", at_most=query.limit + 1, partner_id=sends)
        page, more = rows[: query.limit], len(rows) > query.limit
        cursor = make_cursor(page[-1].code, wanted) if more else None
        answer = EventTypesAnswer(results=[_of(row, language) for row in page], next=cursor)
        return self.answer_known(answer, headers=language.headers)


def _of(row: EventType, language: Chosen) -> EventTypeAnswer:
    return EventTypeAnswer(
        code=row.code,
        name=language.text("name", row.translations, row.name),
        description=language.text("description", row.translations, row.description),
        attributes=row.schema,
        cooldown=row.cooldown or None,
        once_per=row.once_per or None,
        backdated=row.backdated,
        two_sided=row.two_sided,
        own=row.own,
    )


def event_answer(done: events.Rewarded, answer: TransactionAnswer) -> TransactionAnswer:
    """Add to the answer of an event's posting what it gave to either side."""
    settings = configuration(done.book.epoch)
    answer.awards = [award_answer(award, settings) for award in done.result["awards"]]
    answer.near_misses = msgspec.to_builtins(done.result["near_misses"])
    # Whoever sends the event is who issues its vouchers, and may hand their codes over.
    answer.rewards = rewards_answer(done.result.get("rewards", []), whole=True, settings=settings)
    if done.referrer is not None:
        side = done.referrer
        answer.referrer = {
            "id": side.transaction_id,
            "member": number_of(side.member_id),
            "points": [
                {"type": settings.point_types[each["type"]].code, "points": each["points"]}
                for each in side.effects
            ],
        }
    return answer
