"""Segments, and Segment Member Mapping."""

from datetime import datetime
from typing import Annotated, Any, Literal, cast

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from loyalty.api.fields import PLAIN, Answer, Body, Instant, MemberReference, check_instant
from loyalty.api.jobs import JobAnswer, NothingBody, job_answer
from loyalty.api.openapi import operation
from loyalty.api.pagination import LIMIT, LIMIT_MAX, make_cursor, read_cursor
from loyalty.api.views import ProgramViewSet
from loyalty.errors import ExpressionInvalid, FieldError, ValidationFailed, VersionConflict
from loyalty.scopes import Scope
from members.errors import SegmentIsDynamic, SegmentIsStatic, SegmentKindFixed, SegmentNotFound
from members.models import Segment
from members.services import segments as service
from members.services.segment_refresh import start_refresh

REFERENCES_MAX = 1_000
References = Annotated[list[MemberReference], Meta(max_length=REFERENCES_MAX)]


class SegmentBody(Body, kw_only=True):
    """What a segment is. A dynamic one has a condition in CEL, a static one has none."""

    name: Annotated[str, Meta(min_length=1, max_length=200, pattern=PLAIN)]
    kind: Literal["STATIC", "DYNAMIC"] = "STATIC"
    condition: Annotated[str, Meta(max_length=4000, pattern=r"^[^\x00]*$")] = ""
    active: bool = True


class SegmentDetailsAnswer(Answer, kw_only=True):
    """A segment. Its condition and size are for the programme's own clients."""

    code: str
    name: str
    kind: str
    condition: str | None
    active: bool
    size: int | None
    refreshed_at: datetime | None
    version: int


class SavedSegmentDetailsAnswer(SegmentDetailsAnswer, kw_only=True):
    """A segment as it was saved; `job` finds the members of a new condition."""

    job: str | None


class SegmentQuery(Body, kw_only=True):
    """Which segments, by code."""

    kind: Literal["STATIC", "DYNAMIC"] | None = None
    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = LIMIT


class SegmentsAnswer(Answer, kw_only=True):
    """A page of segments, by code."""

    results: list[SegmentDetailsAnswer]
    next: str | None


class SegmentMembersBody(Body, kw_only=True):
    """Whom to put in, until an instant or for good, and whom to take out; up to 1,000 in all."""

    add: References = []
    remove: References = []
    until: Instant | None = None


Outcome = Literal[
    "ADDED",
    "UPDATED",
    "ALREADY_IN",
    "REMOVED",
    "ALREADY_OUT",
    "UNKNOWN_MEMBER",
    "STAGE_FORBIDS",
]


class SegmentItemAnswer(Answer, kw_only=True):
    """What became of one reference of `add` or `remove`; `member` is null if it names nobody."""

    action: str
    index: int
    member: str | None
    outcome: Outcome


class SegmentMembersAnswer(Answer, kw_only=True):
    """How many were put in and taken out, and what became of each."""

    segment: str
    added: int
    updated: int
    removed: int
    unchanged: int
    unknown: int
    refused: int
    items: list[SegmentItemAnswer]


class SegmentViewSet(ProgramViewSet):
    """Segments, and who is in the static ones."""

    action_scopes = {
        "page": Scope.PROGRAM_READ,
        "retrieve": Scope.PROGRAM_READ,
        "put": Scope.SEGMENTS_WRITE,
        "members": Scope.SEGMENTS_WRITE,
        "refresh": Scope.SEGMENTS_WRITE,
    }

    @operation("Get Segments", answer=SegmentsAnswer, query=SegmentQuery)
    def page(self, request: Request) -> HttpResponse:
        query = self.query(SegmentQuery)
        filters = {"kind": query.kind}
        after = read_cursor(query.cursor, filters)
        found = Segment.objects.order_by("code")
        if query.kind:
            found = found.filter(kind=query.kind)
        if after is not None:
            found = found.filter(code__gt=after)
        rows = list(found[: query.limit + 1])
        more = len(rows) > query.limit
        following = make_cursor(rows[query.limit - 1].code, filters) if more else None
        told = [self._told(row) for row in rows[: query.limit]]
        return self.answer(SegmentsAnswer(results=told, next=following))

    @operation("Get Segment", answer=SegmentDetailsAnswer, errors=(SegmentNotFound,))
    def retrieve(self, request: Request, code: str) -> HttpResponse:
        segment = Segment.objects.filter(code=code).first()
        if segment is None:
            raise SegmentNotFound
        return self.answer(self._told(segment), headers={"ETag": f'"{segment.version}"'})

    @operation(
        "Put Segment",
        body=SegmentBody,
        answer=SavedSegmentDetailsAnswer,
        errors=(ExpressionInvalid, SegmentKindFixed, VersionConflict),
    )
    def put(self, request: Request, code: str) -> HttpResponse:
        body = self.body(SegmentBody)
        saved = service.put_segment(
            code,
            service.Content(body.name, body.kind, body.condition, body.active),
            version=self.if_match(),
            at=self.now(),
            partner_id=self.caller.partner_id,
        )
        answer = SavedSegmentDetailsAnswer(
            **self._fields(saved.segment),
            job=f"/api/v1/jobs/{saved.job.pk}/" if saved.job else None,
        )
        status = 201 if saved.created else 200
        return self.answer(answer, status=status, headers={"ETag": f'"{saved.segment.version}"'})

    @operation(
        "Segment Member Mapping",
        body=SegmentMembersBody,
        answer=SegmentMembersAnswer,
        errors=(SegmentNotFound, SegmentIsDynamic),
    )
    def members(self, request: Request, code: str) -> HttpResponse:
        body, now = self.body(SegmentMembersBody), self.now()
        _check_members(body, now)
        add = [each.named(f"/add/{place}") for place, each in enumerate(body.add)]
        remove = [each.named(f"/remove/{place}") for place, each in enumerate(body.remove)]

        def work() -> SegmentMembersAnswer:
            changed = service.change_members(
                code, add=add, remove=remove, until=body.until, by=self.caller.actor, at=now
            )
            return _members_answer(changed)

        return self.change(body, work)

    @operation(
        "Refresh Segment",
        body=NothingBody,
        answer=JobAnswer,
        status=202,
        errors=(SegmentNotFound, SegmentIsStatic),
    )
    def refresh(self, request: Request, code: str) -> HttpResponse:
        body, where = self.body(NothingBody), dict[str, str]()

        def start() -> JobAnswer:
            job = start_refresh(code, at=self.now(), partner_id=self.caller.partner_id)
            where["Location"] = f"/api/v1/jobs/{job.pk}/"
            return job_answer(job)

        return self.change(body, start, status=202, headers=lambda: where)

    def _told(self, segment: Segment) -> SegmentDetailsAnswer:
        return SegmentDetailsAnswer(**self._fields(segment))

    def _fields(self, segment: Segment) -> dict[str, Any]:
        """Return the answer's fields; partners do not see whom a segment is after, or how many."""
        fields = {name: getattr(segment, name) for name in SegmentDetailsAnswer.__struct_fields__}
        if not self.caller.house:
            fields["condition"] = fields["size"] = None
        return fields


def _check_members(body: SegmentMembersBody, now: datetime) -> None:
    """:raises ValidationFailed: if there is nobody, too many, or an end that has passed."""
    check_instant(body.until, "/until")
    if not body.add and not body.remove:
        raise ValidationFailed([FieldError("/add", "TOO_FEW", "Name members in add or remove.")])
    if len(body.add) + len(body.remove) > REFERENCES_MAX:
        message = f"Name up to {REFERENCES_MAX:,} in all; a file takes more."
        raise ValidationFailed([FieldError("/remove", "TOO_MANY", message)])
    if body.until is not None and body.until <= now:
        raise ValidationFailed([FieldError("/until", "IN_PAST", "The end has passed already.")])
    if body.until is not None and not body.add:
        raise ValidationFailed([FieldError("/until", "NOT_HERE", "Only who is added has an end.")])


def _members_answer(changed: service.Changed) -> SegmentMembersAnswer:
    return SegmentMembersAnswer(
        segment=changed.segment.code,
        added=changed.count("ADDED"),
        updated=changed.count("UPDATED"),
        removed=changed.count("REMOVED"),
        unchanged=changed.count("ALREADY_IN", "ALREADY_OUT"),
        unknown=changed.count("UNKNOWN_MEMBER"),
        refused=changed.count("STAGE_FORBIDS"),
        items=[
            SegmentItemAnswer(
                action=item.action,
                index=item.index,
                member=item.member,
                outcome=cast(Outcome, item.outcome),
            )
            for item in changed.items
        ],
    )
