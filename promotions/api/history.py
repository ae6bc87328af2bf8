"""Transaction History, and reading one transaction."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from ledger.errors import TransactionNotFound
from ledger.models import Transaction
from ledger.queries.books import read
from ledger.queries.configuration import Configuration, configuration
from ledger.queries.history import (
    HistoryFilter,
    Posted,
    balances_at,
    member_history,
    posted,
    reversals_of,
)
from ledger.shapes.transactions import TransactionAnswer, award_answer, transaction_answer
from loyalty.api.fields import Answer, Body, Code, Instant, Name, Reference, check_instant
from loyalty.api.openapi import operation
from loyalty.api.pagination import LIMIT, LIMIT_MAX, make_cursor, read_cursor
from loyalty.api.views import ProgramViewSet
from loyalty.errors import FieldError, ValidationFailed
from loyalty.scopes import Scope
from members.models import Member
from promotions.api.earning import IncludeQuery, explain_stored
from promotions.models import Evaluation
from promotions.queries import awards_of
from promotions.shapes.rewards import rewards_answer, sees_codes


class HistoryQuery(Body, kw_only=True):
    """Which transactions; `from` inclusive, `to` exclusive, by the till's time or by ours."""

    start: Instant | None = msgspec.field(name="from", default=None)
    end: Instant | None = msgspec.field(name="to", default=None)
    by: Literal["occurred", "posted"] = "occurred"
    kind: Name | None = None
    type: Code | None = None
    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = LIMIT


class ReferenceQuery(Body, kw_only=True):
    """A reference, and the kind it was given to where two fit."""

    reference: Reference
    kind: Name | None = None


class HistoryAnswer(Answer, kw_only=True):
    """A page of transactions, newest first in posting order."""

    results: list[TransactionAnswer]
    next: str | None


class HistoryViewSet(ProgramViewSet):
    """What was posted."""

    action_scopes = {
        "history": Scope.POINTS_READ,
        "retrieve": Scope.POINTS_READ,
        "find": Scope.POINTS_READ,
    }
    member_actions = frozenset({"history"})

    @operation("Transaction History", answer=HistoryAnswer, query=HistoryQuery)
    def history(self, request: Request, number: str) -> HttpResponse:
        query, now = self.query(HistoryQuery), self.now()
        check_instant(query.start, "/from")
        check_instant(query.end, "/to")
        book = read(self.member_named(number), at=now)
        settings = configuration(book.epoch)
        wanted = HistoryFilter(
            member_id=book.member.id,
            start=query.start,
            end=query.end,
            by_posted=query.by == "posted",
            kinds=_kinds(query.kind),
            point_type=settings.point_type(query.type).id if query.type else None,
        )
        before = read_cursor(query.cursor, wanted)
        page = member_history(wanted, before=before, limit=query.limit + 1)
        more = len(page) > query.limit
        page = page[: query.limit]
        _roll_balances(page)
        answers = self._answers(page, book.member.number, settings)
        cursor = make_cursor(page[-1].version, wanted) if more else None
        return self.answer(HistoryAnswer(results=answers, next=cursor))

    def _answers(
        self, page: "list[Posted]", member: str, settings: Configuration
    ) -> "list[TransactionAnswer]":
        awards = awards_of(each.id for each in page)
        answers = []
        for each in page:
            answer = transaction_answer(each, member=member, caller=self.caller, settings=settings)
            if self.caller.sees_all_of_member or each.partner_id == self.caller.partner_id:
                answer.awards = [award_answer(a, settings) for a in awards.get(each.id, [])]
            answers.append(answer)
        return answers

    @operation("Get Transaction", answer=TransactionAnswer, query=IncludeQuery)
    def retrieve(self, request: Request, id: UUID) -> HttpResponse:  # noqa: A002 the URL's word
        include = self.query(IncludeQuery)
        return self._one({"pk": id}, explain=include.include is not None)

    @operation("Find Transaction", answer=TransactionAnswer, query=ReferenceQuery)
    def find(self, request: Request) -> HttpResponse:
        query = self.query(ReferenceQuery)
        wanted: dict[str, object] = {"reference": query.reference, "part": 0}
        if query.kind is not None:
            wanted["kind"] = query.kind
        return self._one(wanted, explain=False)

    def _one(self, wanted: dict[str, object], *, explain: bool) -> HttpResponse:
        rows = Transaction.objects.filter(**wanted)
        if not self.caller.house:
            rows = rows.filter(partner_id=self.caller.partner_id)
        row = rows.order_by("posted_at").first()
        if row is None:
            raise TransactionNotFound
        found = posted(row.pk)
        found.reversed_by = reversals_of([row.pk]).get(row.pk, [])
        number = Member.objects.values_list("number", flat=True).get(pk=row.member_id)
        settings = configuration()
        answer = transaction_answer(found, member=number, caller=self.caller, settings=settings)
        stored = Evaluation.objects.filter(pk=row.pk).first()
        if stored is not None:
            answer.awards = [award_answer(each, settings) for each in stored.result["awards"]]
            answer.near_misses = stored.result["near_misses"]
            if "rewards" not in found.data:  # A return tells there what it took back.
                answer.rewards = rewards_answer(
                    stored.result.get("rewards", []),
                    whole=sees_codes(self.caller, row.partner_id),
                    settings=settings,
                )
            if explain:
                explain_stored(answer, stored, settings)
        return self.answer(answer)


def _kinds(text: str | None) -> tuple[str, ...]:
    """:raises ValidationFailed: if a kind is unknown; several are separated by commas."""
    kinds = tuple(text.split(",")) if text else ()
    for kind in kinds:
        if kind not in Transaction.Kind.values:
            raise ValidationFailed([FieldError("/kind", "NOT_A_CHOICE", f"No kind {kind!r}.")])
    return kinds


def _roll_balances(page: "list[Posted]") -> None:
    """Give each row the balances after it: the oldest row's are read, the others follow."""
    if not page:
        return
    oldest = page[-1]
    balances = {a.point_type: a for a in balances_at(oldest.member_id, oldest.version)}
    versions = {each.version for each in page}
    contiguous = len(versions) == page[0].version - oldest.version + 1
    for each in reversed(page):
        if not contiguous and each is not oldest:
            # Rows that the filter left out moved points too: read the figures at this version.
            balances = {a.point_type: a for a in balances_at(each.member_id, each.version)}
        for effect in each.effects:
            account = msgspec.structs.replace(
                balances[effect.type],
                available=effect.available,
                pending=effect.pending,
                locked=effect.locked,
                debt=effect.debt,
            )
            balances[effect.type] = account
        each.balances = list(balances.values())
