"""Manual Tier Update, and the ladder with who would move."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from ledger.queries.configuration import configuration
from loyalty.api.fields import Answer, Body, Code, Instant, Reason, Short, check_instant
from loyalty.api.jobs import JobAnswer, job_answer
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.caller import Actor
from loyalty.errors import VersionConflict
from loyalty.scopes import Scope
from loyalty.services import jobs
from members.errors import StageForbids
from members.ladder import Counts, Definition, Downgrade, Measure, Threshold, Window
from members.models import LadderVersion
from promotions.services.tiers import ladder as ladders
from promotions.services.tiers.tier_override import TierGiven, TierRequest, give_tier
from promotions.tasks import preview_ladder

THRESHOLDS_MAX = 50


class TierBody(Body, kw_only=True):
    """A tier to be given; without `from` it begins now, without `until` it has no end."""

    tier: Code
    start: Instant | None = msgspec.field(name="from", default=None)
    until: Instant | None = None
    reason: Reason


class GivenAnswer(Answer, kw_only=True):
    """A tier given by hand: its period, and whether it has begun."""

    tier: str
    start: datetime = msgspec.field(name="from")
    until: datetime | None
    in_force: bool


class TierMoveAnswer(Answer, kw_only=True):
    """The tier before and after, since when it is held, and until when the rules leave it alone."""

    before: str
    after: str
    since: datetime | None
    until: datetime | None


class TierGivenAnswer(Answer, kw_only=True):
    """What became of a tier that was given; the tier moves when its period begins."""

    member: str
    version: int
    tier: TierMoveAnswer
    override: GivenAnswer


class MemberTierViewSet(ProgramViewSet):
    """Tiers whatever the rules say."""

    action_scopes = {"put": Scope.TIERS_WRITE}

    @operation(
        "Manual Tier Update",
        body=TierBody,
        answer=TierGivenAnswer,
        errors=(StageForbids, VersionConflict),
    )
    def put(self, request: Request, number: str) -> HttpResponse:
        body, now = self.body(TierBody), self.now()
        check_instant(body.start, "/from")
        check_instant(body.until, "/until")
        wanted = TierRequest(
            member=self.member_named(number),
            tier=body.tier,
            starts_at=body.start,
            ends_at=body.until,
            reason=body.reason,
            by=self.caller.actor,
            expected_version=self.if_match(),
        )
        tag: dict[str, str] = {}

        def work() -> TierGivenAnswer:
            answer = _given_answer(give_tier(wanted, at=now))
            tag["ETag"] = f'"{answer.version}"'
            return answer

        return self.change(body, work, headers=lambda: tag)


def _given_answer(given: TierGiven) -> TierGivenAnswer:
    held, override = given.standing.held, given.override
    return TierGivenAnswer(
        member=given.member.number,
        version=given.member.version,
        tier=TierMoveAnswer(
            before=given.before, after=held.tier, since=held.since, until=held.until
        ),
        override=GivenAnswer(
            tier=override.tier,
            start=override.starts_at,
            until=override.ends_at,
            in_force=override.applied_at is not None,
        ),
    )


class RungBody(Body, kw_only=True):
    """What a tier takes: points or visits as a number, spend as decimal text."""

    tier: Code
    at_least: int | Short


class LadderBody(Body, kw_only=True):
    """The ladder from an instant on, now by default; `dry_run` only shows who would move."""

    measure: Measure
    point_type: Code | None = None
    window: Window
    months: int | None = None
    counts: Counts = Counts.POSTED
    thresholds: Annotated[list[RungBody], Meta(max_length=THRESHOLDS_MAX)]
    downgrade: Downgrade = Downgrade.BY_MEASURE
    valid: Short | None = None
    grace: Short | None = None
    effective_from: Instant | None = None
    dry_run: bool = False

    def definition(self) -> Definition:
        """Return the rules without when they are to be."""
        return Definition(
            measure=self.measure,
            window=self.window,
            thresholds=tuple(Threshold(each.tier, each.at_least) for each in self.thresholds),
            point_type=self.point_type,
            months=self.months,
            counts=self.counts,
            downgrade=self.downgrade,
            valid=self.valid,
            grace=self.grace,
        )


class LadderMoveAnswer(Answer, kw_only=True):
    """How many would move from one tier to another, and some of them by number."""

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    members: int
    sample: list[str]


class LadderAnswer(Answer, kw_only=True):
    """A version of the ladder; in a dry run the number is that of the version it would be.

    `moves` tells who moves: up at once, down once validity and grace have run out.
    """

    version: int
    new_version: bool
    dry_run: bool
    effective_from: datetime
    definition: dict[str, Any]
    members: int
    moves: list[LadderMoveAnswer]


class LadderVersionAnswer(Answer, kw_only=True):
    """A version of the ladder, and whether it is the one in effect."""

    version: int
    effective_from: datetime
    in_effect: bool
    definition: dict[str, Any]
    created_at: datetime
    created_by: str


class LadderVersionsAnswer(Answer, kw_only=True):
    """The versions of the ladder, the newest first."""

    results: list[LadderVersionAnswer]
    next: None = None


class LadderViewSet(ProgramViewSet):
    """The ladder: its versions, and the next one."""

    action_scopes = {"versions": Scope.TIERS_WRITE, "put": Scope.TIERS_WRITE}

    @operation("Get Ladder", answer=LadderVersionsAnswer)
    def versions(self, request: Request) -> HttpResponse:
        current = configuration().ladder(self.now())
        rows = [
            LadderVersionAnswer(
                version=each.number,
                effective_from=each.effective_from,
                in_effect=current is not None and current.number == each.number,
                definition=each.definition,
                created_at=each.created_at,
                created_by=each.created_by,
            )
            for each in LadderVersion.objects.order_by("-number")[:200]
        ]
        return self.answer(LadderVersionsAnswer(results=rows))

    @operation("Update Ladder", body=LadderBody, answer=LadderAnswer, errors=(VersionConflict,))
    def put(self, request: Request) -> HttpResponse:
        body, now, expected = self.body(LadderBody), self.now(), self.if_match()
        check_instant(body.effective_from, "/effective_from")
        many = ladders.count_members() > ladders.PREVIEWED_AT_ONCE
        if body.dry_run and many:
            return self._start_preview(body, now)
        return self.change(body, lambda: _put(body, now, expected, self.caller.actor, many))

    def _start_preview(self, body: LadderBody, now: datetime) -> HttpResponse:
        """Answer 202 with a job whose result tells who would move."""
        where: dict[str, str] = {}
        definition = body.definition()
        ladders.check_definition(definition, configuration())

        def start() -> JobAnswer:
            job = jobs.start(
                preview_ladder.name,
                at=now,
                parameters={"definition": msgspec.to_builtins(definition)},
                total=ladders.count_members(),
                dry_run=True,
                scope=Scope.TIERS_WRITE,
                partner_id=self.caller.partner_id,
            )
            where["Location"] = f"/api/v1/jobs/{job.pk}/"
            return job_answer(job)

        return self.change(body, start, status=202, headers=lambda: where)


def _put(
    body: LadderBody, now: datetime, expected: int | None, by: Actor, many: bool
) -> LadderAnswer:
    """Write the ladder, or only look; tell who moves, unless they are too many to count now."""
    definition, settings = body.definition(), configuration()
    newest = LadderVersion.objects.order_by("-number").first()
    number = newest.number if newest else 0
    if expected not in (None, number):
        raise VersionConflict(number)
    ladders.check_definition(definition, settings)
    found = ladders.Preview()
    if not many:
        drafted = ladders.drafted_ladder(definition, settings, at=now)
        found = ladders.preview(drafted, at=now)
    version, new = number + 1, True
    start = body.effective_from or now
    ladders.check_start(body.effective_from, at=now)
    if not body.dry_run:
        written = ladders.put_ladder(definition, effective_from=body.effective_from, at=now, by=by)
        version, new = written.version.number, written.new_version
        start = written.version.effective_from
    return LadderAnswer(
        version=version,
        new_version=new,
        dry_run=body.dry_run,
        effective_from=start,
        definition=msgspec.to_builtins(definition),
        members=found.members,
        moves=[msgspec.convert(row, LadderMoveAnswer) for row in found.rows()],
    )
