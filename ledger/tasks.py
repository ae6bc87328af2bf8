"""Celery entry points of the ledger, and the timetable's."""

import logging
from dataclasses import asdict
from datetime import date, datetime

import msgspec
from celery import shared_task
from django.db import transaction
from django.utils import timezone

from ledger.queries.stages import Criteria, count
from ledger.queries.statements import has_postings, last_month, month_of, period_of
from ledger.services import expiring, settlement, stage
from ledger.services.audit import audit
from ledger.services.partner_settlement import settle_month
from ledger.services.stage import Wanted
from loyalty.caller import Actor
from loyalty.models import Job, Program
from loyalty.scopes import Scope
from loyalty.services import jobs

log = logging.getLogger(__name__)


@shared_task
def start_sweep() -> None:
    """Start a sweep if books are due and no sweep is under way."""
    now = timezone.now()
    unfinished = Job.objects.filter(
        kind=settle_due.name, status__in=[Job.Status.PENDING, Job.Status.RUNNING]
    )
    if settlement.count_due(now) and not unfinished.exists():
        jobs.start(settle_due.name, at=now)


@shared_task
def settle_due(*, job_id: str) -> None:
    """Release and expire what is due, chunk by chunk, from where the job stands."""
    try:
        with jobs.resume(job_id) as job:
            run_sweep(job)
    except jobs.NotForUs:
        return


def run_sweep(job: jobs.Running) -> None:
    """Settle the books that were due when the job started, by key, noting each chunk."""
    after = job.position or 0
    total = job.job.done + settlement.count_due(job.at)
    while (chunk := settlement.settle_chunk(after=after, at=job.at)).last is not None:
        after = chunk.last
        job.add(released=chunk.released, expired=chunk.expired)
        job.advance(position=after, done=chunk.members, total=total)


def start_stage_change(
    criteria: Criteria,
    wanted: Wanted,
    *,
    at: datetime,
    partner_id: int | None = None,
    key: str | None = None,
) -> Job:
    """Start a mass change of stage; a step: it is queued when the caller's transaction commits.

    With a partner, it was asked for at the API, and is read with the scope that starts it.
    """
    matched, _, _ = count(criteria, wanted.stage)
    return jobs.start(
        change_stages.name,
        at=at,
        key=key,
        total=matched + len(stage.unknown_of(criteria.members)),
        parameters={
            "criteria": msgspec.to_builtins(criteria),
            "stage": wanted.stage,
            "reason": wanted.reason,
            "by": asdict(wanted.by),
        },
        scope=Scope.STAGES_WRITE if partner_id is not None else "",
        partner_id=partner_id,
    )


def expire_inactive(*, at: datetime) -> Job | None:
    """Start the job that expires members by inactivity, once a day, if the programme wants it."""
    after = Program.objects.values_list("expires_after_inactivity", flat=True).get(pk=1)
    if after is None:
        return None
    criteria = Criteria(stages=("ACTIVE",), inactive_since=at - after)
    reason = "Neither earned nor redeemed for as long as the programme allows."
    wanted = Wanted(stage="EXPIRED", reason=reason, by=Actor.system("inactivity"))
    with transaction.atomic():
        return start_stage_change(criteria, wanted, at=at, key=f"inactivity:{at.date()}")


@shared_task
def change_stages(*, job_id: str) -> None:
    """Move the members that fit a mass change's criteria, chunk by chunk by key."""
    try:
        with jobs.resume(job_id) as job:
            run_stage_change(job)
    except jobs.NotForUs:
        return


def run_stage_change(job: jobs.Running) -> None:
    """Move chunk after chunk from where the job stands."""
    given = job.job.parameters
    criteria = msgspec.convert(given["criteria"], Criteria)
    wanted = Wanted(stage=given["stage"], reason=given["reason"], by=Actor(**given["by"]))
    while stage.change_chunk(job, criteria, wanted, at=job.at):
        pass


def run_expiring(job: jobs.Running) -> None:
    """Tell subscribers whose points expire soon: a step of the night."""
    expiring.forget_notices(at=job.at)
    after = job.position or 0
    while (told := expiring.tell_chunk(after=after, at=job.at)).last is not None:
        after = told.last
        job.add(expiring=told.notices)
        job.advance(position=after, done=told.members)


def run_audit(job: jobs.Running) -> None:
    """Prove the books: the last step of the night."""
    broken = {f.invariant.name: f.violations for f in audit() if f.violations}
    if broken:
        log.error("The books do not balance: %s", broken)
    job.add(broken_invariants=len(broken))


@shared_task
def start_settlement() -> None:
    """Start settling the last local month with partners, once, if anything was posted in it."""
    now = timezone.now()
    month = last_month(now)
    if has_postings(*period_of(month)):
        start_settling(month, at=now)


def start_settling(month: date, *, at: datetime) -> Job:
    """Start the job that settles a month, or let it go on; a month makes one job."""
    name = f"{month:%Y-%m}"
    job = jobs.start(
        settle_partners.name, at=at, key=f"settlement:{name}", parameters={"month": name}
    )
    jobs.restart(job)  # One that failed goes on; nothing happens to any other.
    return job


@shared_task
def settle_partners(*, job_id: str) -> None:
    """Close a month and write the statements of its partners."""
    try:
        with jobs.resume(job_id) as job:
            settled = settle_month(month_of(job.job.parameters["month"]), at=job.at)
            job.job.result = {"statements": settled.statements, "new": settled.new}
            job.advance(position=None, done=settled.statements, total=settled.statements)
    except jobs.NotForUs:
        return
