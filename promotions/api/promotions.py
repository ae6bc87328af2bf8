"""Add/Update Promotion, Get All Promotions, and Promotion Segment Mapping."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from django.db import transaction
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from ledger.queries.configuration import configuration
from loyalty.api.fields import Answer, Body, Code, Instant, Reason, check_instant
from loyalty.api.files import read_call
from loyalty.api.languages import negotiate
from loyalty.api.openapi import operation
from loyalty.api.pagination import LIMIT, LIMIT_MAX, make_cursor, read_cursor
from loyalty.api.views import ProgramViewSet
from loyalty.caller import CallerKind
from loyalty.errors import (
    ExpressionInvalid,
    FieldError,
    FileMissing,
    NotFound,
    PayloadTooLarge,
    ValidationFailed,
    VersionConflict,
)
from loyalty.scopes import Scope
from members.errors import SegmentIsDynamic, SegmentNotFound
from members.queries import resolve
from promotions.api.segment_mapping import MappingBody, load_and_map
from promotions.engine.definition import Definition
from promotions.errors import NothingWaits, SecondPersonNeeded, TestsFail
from promotions.models import Promotion, PromotionApproval, PromotionVersion
from promotions.queries.promotions import (
    Filter,
    budgets_left,
    left_of,
    promotions_page,
    version_of,
    waiting_by_promotion,
)
from promotions.services.writing import approvals, authoring
from promotions.services.writing.waiting import WAITING

Status = Literal["DRAFT", "LIVE", "PAUSED", "ENDED"]


class PromotionBody(Definition, frozen=True, kw_only=True):
    """A promotion: its status, and the definition that its versions hold."""

    status: Status = "DRAFT"


class StatusBody(Body, kw_only=True):
    """Pause, end, or put live again what is there; the definition stays.

    Or, as a second person, approve or reject what waits. One of the two.
    """

    status: Status | None = None
    approval: Literal["APPROVED", "REJECTED"] | None = None
    reason: Reason | None = None


class PromotionsQuery(Body, kw_only=True):
    """Which promotions; `member` is a member's number, `date` an instant."""

    status: Status | None = None
    date: Instant | None = None
    partner: Code | None = None
    segment: Code | None = None
    member: Annotated[str, Meta(pattern=r"^[0-9]{1,20}$(?!\n)")] | None = None
    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = LIMIT


class VersionQuery(Body, kw_only=True):
    """A version by its number; without it, the one in effect."""

    version: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None


class WaitingAnswer(Answer, kw_only=True):
    """What waits for a second person: who asked for it, and the definition that is to be live."""

    version: int | None
    asked_at: datetime
    asked_by: str
    reason: str
    definition: dict[str, Any]


class PromotionAnswer(Answer, kw_only=True):
    """A promotion as one of its versions has it. Cost is for those who write promotions."""

    code: str
    version: int
    status: str
    name: str
    title: str
    body: str
    terms: str
    trigger: str
    effective_from: datetime
    active_from: str | None
    active_to: str | None
    audience: dict[str, Any]
    award: dict[str, Any]
    visible: bool
    definition: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    budget_left: int | str | msgspec.UnsetType | None = msgspec.UNSET
    warnings: list[str] | msgspec.UnsetType = msgspec.UNSET
    approval: str | msgspec.UnsetType | None = msgspec.UNSET
    waiting: WaitingAnswer | msgspec.UnsetType | None = msgspec.UNSET


class PromotionsAnswer(Answer, kw_only=True):
    """A page of promotions, by code."""

    results: list[PromotionAnswer]
    next: str | None


class PromotionViewSet(ProgramViewSet):
    """Promotions as they are written and listed."""

    action_scopes = {
        "page": Scope.PROMOTIONS_READ,
        "retrieve": Scope.PROMOTIONS_READ,
        "put": Scope.PROMOTIONS_WRITE,
        "set_status": Scope.PROMOTIONS_WRITE,
        "map_segments": Scope.PROMOTIONS_WRITE,
    }
    member_actions = frozenset({"page", "retrieve"})

    @operation("Get All Promotions", answer=PromotionsAnswer, query=PromotionsQuery)
    def page(self, request: Request) -> HttpResponse:
        query, now = self.query(PromotionsQuery), self.now()
        check_instant(query.date, "/date")
        wanted = Filter(
            at=query.date or now,
            status=query.status,
            partner=query.partner,
            segment=query.segment,
            member_id=self._member_id(query.member),
            visible_only=not self._writes,
        )
        filters = [query.status, query.date, query.partner, query.segment, wanted.member_id]
        after = read_cursor(query.cursor, filters) or ""
        rows = promotions_page(wanted, after=after, at_most=query.limit + 1)
        more, rows = len(rows) > query.limit, rows[: query.limit]
        cursor = make_cursor(rows[-1].promotion.code, filters) if more else None
        return self.answer(PromotionsAnswer(results=self._answers(rows), next=cursor))

    @operation("Get Promotion", answer=PromotionAnswer, query=VersionQuery)
    def retrieve(self, request: Request, code: str) -> HttpResponse:
        query = self.query(VersionQuery)
        version = version_of(self._promotion(code), number=query.version, at=self.now())
        if version is None or not (self._writes or self._shown(version)):
            raise NotFound("No such promotion, or no such version of it.")
        (answer,) = self._answers([version])
        return self.answer(answer, headers={"ETag": f'"{version.number}"'})

    @operation(
        "Add/Update Promotion",
        body=PromotionBody,
        answer=PromotionAnswer,
        errors=(ExpressionInvalid, TestsFail, VersionConflict),
    )
    def put(self, request: Request, code: str) -> HttpResponse:
        body, version = self.body(PromotionBody), self.if_match()
        content = msgspec.to_builtins(body)
        status = content.pop("status")
        with transaction.atomic():
            new = self._check_version(code, version)
            done = authoring.write_promotion(
                code, content, status=status, at=self.now(), by=self.caller.client_id
            )
        return self._written(done, status=201 if new else 200)

    @operation(
        "Update Promotion Status",
        body=StatusBody,
        answer=PromotionAnswer,
        errors=(TestsFail, NothingWaits, SecondPersonNeeded),
    )
    def set_status(self, request: Request, code: str) -> HttpResponse:
        body, by = self.body(StatusBody), self.caller.client_id
        reason, at = body.reason or "", self.now()
        with transaction.atomic():
            if body.status is not None and body.approval is None:
                done = authoring.change_status(code, body.status, at=at, reason=reason, by=by)
            elif body.status is None and body.approval is not None:
                judge = approvals.approve if body.approval == "APPROVED" else approvals.reject
                done = judge(code, by=by, at=at, reason=reason)
            else:
                message = "Give a status, or judge what waits: one of the two."
                raise ValidationFailed([FieldError("/status", "EXACTLY_ONE", message)])
        return self._written(done)

    @operation(
        "Promotion Segment Mapping",
        body=MappingBody,
        answer=PromotionAnswer,
        takes_file=True,
        errors=(TestsFail, SegmentNotFound, SegmentIsDynamic, FileMissing, PayloadTooLarge),
    )
    def map_segments(self, request: Request, code: str) -> HttpResponse:
        body, file = read_call(request._request, MappingBody)
        if body.file is not None or file is not None:
            return load_and_map(self, code, body, file)
        by, where = self.caller.client_id, dict[str, Any]()

        def work() -> PromotionAnswer:
            done = authoring.map_segments(
                code, include=body.include, exclude=body.exclude, at=self.now(), by=by
            )
            where["status"] = self._status(done, 200)
            where["headers"] = {"ETag": f'"{done.version.number}"'}
            return self._answer_of(done)

        return self.change(
            body, work, status=lambda: where["status"], headers=lambda: where["headers"]
        )

    @property
    def _writes(self) -> bool:
        return Scope.PROMOTIONS_WRITE in self.caller.scopes

    def _member_id(self, number: str | None) -> int | None:
        """Return whose promotions are asked for: a session's own are all it sees."""
        if self.caller.kind is CallerKind.MEMBER:
            return self.caller.member_id
        return None if number is None else resolve({"number": number}).pk

    def _shown(self, version: PromotionVersion) -> bool:
        live = version.promotion.status == Promotion.Status.LIVE
        return bool(version.definition.get("visible", True)) and live

    def _promotion(self, code: str) -> Promotion:
        found = Promotion.objects.filter(code=code).first()
        if found is None:
            raise NotFound("No such promotion.")
        return found

    def _check_version(self, code: str, version: int | None) -> bool:
        """Return whether the promotion is new.

        :raises VersionConflict: if it stands at another version than the caller read.
        """
        found = Promotion.objects.select_for_update().filter(code=code).first()
        if found is None:
            return True
        last = found.versions.order_by("-number").first()
        if version is not None and last is not None and last.number != version:
            raise VersionConflict(last.number)
        return False

    def _written(self, done: authoring.Written, *, status: int = 200) -> HttpResponse:
        return self.answer(
            self._answer_of(done),
            status=self._status(done, status),
            headers={"ETag": f'"{done.version.number}"'},
        )

    def _status(self, done: authoring.Written, status: int) -> int:
        """Return 202 while a second person has to approve what was written."""
        waits = done.approval is not None and done.approval.state == WAITING
        return 202 if waits else status

    def _answer_of(self, done: authoring.Written) -> PromotionAnswer:
        (answer,) = self._answers([done.version])
        answer.warnings = list(done.warnings)
        if done.approval is not None:
            answer.approval = done.approval.state
        return answer

    def _answers(self, page: list[PromotionVersion]) -> list[PromotionAnswer]:
        chosen = negotiate(self.request._request)
        known = budgets_left(row.promotion.code for row in page) if self._writes else {}
        waits = waiting_by_promotion(row.promotion_id for row in page) if self._writes else {}
        currency = configuration().currency
        answers = []
        for row in page:
            definition, texts = row.definition, row.definition.get("texts") or {}
            answer = PromotionAnswer(
                code=row.promotion.code,
                version=row.number,
                status=row.promotion.status,
                name=definition["name"],
                title=chosen.text("title", texts, definition["name"]),
                body=chosen.text("body", texts, ""),
                terms=chosen.text("terms", texts, ""),
                trigger=definition["trigger"],
                effective_from=row.effective_from,
                active_from=definition["active_from"],
                active_to=definition["active_to"],
                audience=definition["audience"],
                award=definition["award"],
                visible=definition["visible"],
            )
            if self._writes:
                answer.definition = definition
                answer.budget_left = left_of(row, known, currency)
                asked = waits.get(row.promotion_id)
                answer.approval = asked.state if asked else None
                answer.waiting = _waiting_answer(asked) if asked else None
            answers.append(answer)
        return answers


def _waiting_answer(asked: PromotionApproval) -> WaitingAnswer:
    return WaitingAnswer(
        version=asked.version.number if asked.version else None,
        asked_at=asked.asked_at,
        asked_by=asked.asked_by,
        reason=asked.asked_reason,
        definition=asked.definition,
    )
