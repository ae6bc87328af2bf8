"""Member Account History."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from loyalty.api.fields import END, Answer, Body, Instant, check_instant
from loyalty.api.openapi import operation
from loyalty.api.pagination import LIMIT, LIMIT_MAX, make_cursor, read_cursor
from loyalty.api.views import ProgramViewSet
from loyalty.caller import Caller, CallerKind
from loyalty.scopes import Scope
from members.models import Activity
from members.queries import resolve
from members.queries.history import ActivityFilter, account_history, family_of

# What a partner is told of a move that it did not cause.
_OF_A_MOVE = ("from", "to", "until")


class ActivityQuery(Body, kw_only=True):
    """Which lines; `from` inclusive, `to` exclusive; several kinds are separated by commas."""

    start: Instant | None = msgspec.field(name="from", default=None)
    end: Instant | None = msgspec.field(name="to", default=None)
    kinds: Annotated[str, Meta(max_length=400, pattern=r"^[A-Z_]+(,[A-Z_]+)*" + END)] | None = None
    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = LIMIT


class ActorAnswer(Answer, kw_only=True):
    """Who did it: CLIENT, MEMBER, STAFF or SYSTEM; the name is for those who may know it."""

    kind: str
    name: str | None
    partner: str | None


class ActivityAnswer(Answer, kw_only=True):
    """One thing that happened. `member` is who it happened to, before a merge perhaps another."""

    id: int
    member: str
    kind: str
    at: datetime
    actor: ActorAnswer
    reason: str | None
    data: dict[str, Any]


class AccountHistoryAnswer(Answer, kw_only=True):
    """A page of the account history, newest first."""

    results: list[ActivityAnswer]
    next: str | None


class AccountHistoryViewSet(ProgramViewSet):
    """Everything that happened to a member and is not points."""

    action_scopes = {"history": Scope.MEMBERS_READ}
    member_actions = frozenset({"history"})

    @operation("Member Account History", answer=AccountHistoryAnswer, query=ActivityQuery)
    def history(self, request: Request, number: str) -> HttpResponse:
        query = self.query(ActivityQuery)
        check_instant(query.start, "/from")
        check_instant(query.end, "/to")
        member = resolve(self.member_named(number))
        wanted = ActivityFilter(
            member_id=member.pk,
            start=query.start,
            end=query.end,
            kinds=tuple(query.kinds.split(",")) if query.kinds else (),
            partner_id=None if self.caller.sees_all_of_member else self.caller.partner_id,
        )
        before = read_cursor(query.cursor, wanted)
        family = family_of(member.pk)
        page = account_history(wanted, family, before=before, limit=query.limit + 1)
        more = len(page) > query.limit
        page = page[: query.limit]
        return self.answer(
            AccountHistoryAnswer(
                results=[_line(each, family[each.member_id], self.caller) for each in page],
                next=make_cursor(page[-1].pk, wanted) if more else None,
            )
        )


def _line(line: Activity, number: str, caller: Caller) -> ActivityAnswer:
    """Return a line as the caller may see it: another's move only as such, staff without names."""
    whole = caller.sees_all_of_member or line.partner_id == caller.partner_id
    data = line.data if whole else {key: line.data[key] for key in _OF_A_MOVE if key in line.data}
    partner = line.partner.code if line.partner is not None and whole else None
    named = caller.house or line.actor_kind == _names_seen_by(caller)
    return ActivityAnswer(
        id=line.pk,
        member=number,
        kind=line.kind,
        at=line.at,
        actor=ActorAnswer(
            kind=line.actor_kind, name=line.actor if named and whole else None, partner=partner
        ),
        reason=(line.reason or None) if whole else None,
        data=data,
    )


def _names_seen_by(caller: Caller) -> str:
    """Return of which kind of actor a caller that is not the house reads names: its own."""
    return "MEMBER" if caller.kind is CallerKind.MEMBER else "CLIENT"
