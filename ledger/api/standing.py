"""Find and Update Member Stage: one member, some by criteria, or many as a job."""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from ledger.queries.configuration import configuration
from ledger.queries.stages import Criteria, candidates
from ledger.services import stage as service
from ledger.services.stage import Moved, Wanted
from ledger.tasks import start_stage_change
from loyalty.api.fields import (
    Answer,
    Body,
    Instant,
    MemberNumber,
    MemberReference,
    Reason,
    check_instant,
)
from loyalty.api.jobs import JobAnswer, job_answer
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.errors import FieldError, LoyaltyError, MemberNotFound, ValidationFailed
from loyalty.scopes import Scope
from members.errors import StageTransitionForbidden
from members.services.stage import StageChange

AT_ONCE = 100  # Members; more are a job.
NAMED_MAX = 1_000

Stage = Literal["PENDING", "ACTIVE", "SUSPENDED", "DISABLED", "EXPIRED", "MERGED", "CLOSED"]


class CriteriaBody(Body, kw_only=True):
    """Whom it is for: all that is given must hold, and something must be given.

    `inactive_since`: joined before it, and neither earned nor redeemed since. `members` are
    numbers.
    """

    stages: Annotated[list[Stage], Meta(min_length=1, max_length=7)] | None = None
    inactive_since: Instant | None = None
    members: Annotated[list[MemberNumber], Meta(min_length=1, max_length=NAMED_MAX)] | None = None


class StageBody(Body, kw_only=True):
    """A new stage, for one member or for those that fit criteria."""

    stage: Stage
    reason: Reason
    member: MemberReference | None = None
    criteria: CriteriaBody | None = None
    dry_run: bool = False


class ForfeitAnswer(Answer, kw_only=True):
    """What closing took of one point type, and what is still owed."""

    type: str
    forfeited: int
    debt: int


class MovedAnswer(Answer, kw_only=True):
    """What became of one member, or would; `problem` says why it may not be moved."""

    member: str
    before: str | None
    after: str | None
    changed: bool
    points: list[ForfeitAnswer]
    problem: dict[str, Any] | None = None


class StageAnswer(Answer, kw_only=True):
    """How many fit, and what became of them; of a dry run by criteria, some of them."""

    dry_run: bool
    stage: str
    matched: int
    changed: int
    refused: int
    members: list[MovedAnswer]


class StandingViewSet(ProgramViewSet):
    """The standing of members in the programme."""

    action_scopes = {"stage": Scope.STAGES_WRITE}

    @operation(
        "Find and Update Member Stage",
        body=StageBody,
        answer=StageAnswer,
        starts_job=JobAnswer,
        errors=(StageTransitionForbidden,),
    )
    def stage(self, request: Request) -> HttpResponse:
        body, now = self.body(StageBody), self.now()
        if (body.member is None) == (body.criteria is None):
            message = "Give exactly one of member and criteria."
            raise ValidationFailed([FieldError("/member", "EXACTLY_ONE", message)])
        wanted = Wanted(stage=body.stage, reason=body.reason, by=self.caller.actor)
        if body.member is not None:
            return self._one(body, body.member.named(), wanted, now)
        assert body.criteria is not None
        criteria = _criteria(body.criteria)
        if body.dry_run:
            return self.answer(_previewed(criteria, wanted))
        few = candidates(criteria, body.stage, limit=AT_ONCE + 1)
        if len(few) > AT_ONCE:
            return self._many(body, criteria, wanted, now)
        return self.change(body, lambda: _changed(criteria, wanted, now))

    def _one(
        self, body: StageBody, member: dict[str, Any], wanted: Wanted, now: datetime
    ) -> HttpResponse:
        if body.dry_run:
            change, forfeited = service.preview_member(member, wanted, at=now)
            return self.answer(_answer(wanted, [Moved(change, forfeited)], dry_run=True))
        return self.change(
            body, lambda: _answer(wanted, [service.change_member(member, wanted, at=now)])
        )

    def _many(
        self, body: StageBody, criteria: Criteria, wanted: Wanted, now: datetime
    ) -> HttpResponse:
        where: dict[str, str] = {}

        def start() -> JobAnswer:
            job = start_stage_change(criteria, wanted, at=now, partner_id=self.caller.partner_id)
            where["Location"] = f"/api/v1/jobs/{job.pk}/"
            return job_answer(job)

        return self.change(body, start, status=202, headers=lambda: where)


def _criteria(body: CriteriaBody) -> Criteria:
    """:raises ValidationFailed: if nothing is asked for, or the instant is not of this century."""
    check_instant(body.inactive_since, "/criteria/inactive_since")
    if body == CriteriaBody():
        message = "Give stages, inactive_since or members."
        raise ValidationFailed([FieldError("/criteria", "TOO_FEW", message)])
    return Criteria(
        stages=tuple(body.stages or ()),
        inactive_since=body.inactive_since,
        members=tuple(dict.fromkeys(body.members or ())),
    )


def _changed(criteria: Criteria, wanted: Wanted, now: datetime) -> StageAnswer:
    """Move the few who fit, now that the transaction is open; say of each what became of it."""
    found = candidates(criteria, wanted.stage, limit=AT_ONCE)
    moved = service.change_members([each.id for each in found], wanted, at=now)
    answer = _answer(wanted, moved)
    return _with_unknown(answer, service.unknown_of(criteria.members))


def _previewed(criteria: Criteria, wanted: Wanted) -> StageAnswer:
    seen = service.preview(criteria, wanted.stage)
    moved = [
        Moved(service.would_change(each.id, each.number, each.stage, wanted.stage))
        for each in seen.sample
    ]
    answer = _answer(wanted, moved, dry_run=True)
    answer.matched, answer.refused = seen.matched, seen.refused
    answer.changed = seen.matched - seen.refused - seen.unchanged
    return _with_unknown(answer, seen.unknown)


def _with_unknown(answer: StageAnswer, numbers: list[str]) -> StageAnswer:
    answer.refused += len(numbers)
    for number in numbers:
        answer.members.append(
            MovedAnswer(
                member=number,
                before=None,
                after=None,
                changed=False,
                points=[],
                problem=_problem(MemberNotFound()),
            )
        )
    return answer


def _answer(wanted: Wanted, moved: list[Moved], *, dry_run: bool = False) -> StageAnswer:
    codes = {key: facts.code for key, facts in configuration().point_types.items()}
    closed = [each.change.member_id for each in moved if each.forfeited]
    debts = service.debts_of(closed)
    changes = [each.change for each in moved]
    return StageAnswer(
        dry_run=dry_run,
        stage=wanted.stage,
        matched=len(moved),
        changed=sum(change.changed for change in changes),
        refused=sum(change.refused for change in changes),
        members=[
            MovedAnswer(
                member=each.change.number,
                before=each.change.before,
                after=each.change.before if each.change.refused else wanted.stage,
                changed=each.change.changed,
                points=[
                    ForfeitAnswer(
                        type=codes[key],
                        forfeited=points,
                        debt=debts.get(each.change.member_id, {}).get(key, 0),
                    )
                    for key, points in sorted(each.forfeited.items())
                ],
                problem=_refusal(each.change, wanted),
            )
            for each in moved
        ],
    )


def _refusal(change: StageChange, wanted: Wanted) -> dict[str, Any] | None:
    if not change.refused:
        return None
    return _problem(StageTransitionForbidden(before=change.before, after=wanted.stage))


def _problem(error: LoyaltyError) -> dict[str, Any]:
    """Return a refusal as a part of an answer."""
    return {
        "code": error.code,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        **error.extra,
    }
