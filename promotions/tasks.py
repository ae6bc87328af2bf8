"""Celery entry points of tiers, draws, and the night: the highest room that sees all its steps."""

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
from celery import shared_task
from django.utils import timezone

from ledger.queries.configuration import configuration
from ledger.tasks import expire_inactive, run_audit, run_expiring, run_sweep
from loyalty.models import Job, Program
from loyalty.services import jobs
from members.ladder import Definition
from members.services import segment_refresh
from promotions.services import celebrations, purchase_file
from promotions.services.bootstrap import ANNIVERSARY
from promotions.services.history import backtest
from promotions.services.rewarding import drawing
from promotions.services.tiers import ladder as ladders
from promotions.services.tiers import tier_review
from promotions.services.writing import segment_mapping
from vouchers.tasks import run_subscriptions, run_voucher_expiry


@shared_task
def start_night() -> None:
    """Start the night of the programme's local date, once: a date makes one job."""
    now = timezone.now()
    zone = ZoneInfo(Program.objects.values_list("time_zone", flat=True).get(pk=1))
    jobs.start(run_night.name, at=now, key=f"night:{now.astimezone(zone).date()}")


@shared_task
def run_night(*, job_id: str) -> None:
    """Run the steps of a night in order, from the one where the job stands."""
    try:
        with jobs.resume(job_id) as job:
            jobs.run_steps(job, NIGHT)
    except jobs.NotForUs:
        return


@shared_task
def import_purchases(*, job_id: str) -> None:
    """Post the purchases of a transaction file."""
    try:
        with jobs.resume(job_id) as job:
            purchase_file.run_import(job)
    except jobs.NotForUs:
        return


def run_review(job: jobs.Running) -> None:
    """Review the tiers whose validity is over: a step of the night."""
    _review(job, everybody=False)


def _review(job: jobs.Running, *, everybody: bool) -> None:
    after = job.position or 0
    total = job.job.done + tier_review.count_members()
    while True:
        chunk = tier_review.review_chunk(after=after, at=job.at, everybody=everybody)
        if chunk.last is None:
            return
        after = chunk.last
        job.add(raised=chunk.raised, lowered=chunk.lowered)
        job.advance(position=after, done=chunk.members, total=total)


def run_birthdays(job: jobs.Running) -> None:
    """Reward birthdays: a step of the night."""
    _celebrate(job, celebrations.BIRTHDAY, "birthdays")


def run_anniversaries(job: jobs.Running) -> None:
    """Reward anniversaries of joining: a step of the night."""
    _celebrate(job, ANNIVERSARY, "anniversaries")


def _celebrate(job: jobs.Running, feast: str, counted: str) -> None:
    """Reward a feast chunk by chunk, if a promotion does; nights that were missed are made up."""
    days = celebrations.days_of(job.job)
    if not celebrations.is_celebrated(feast, days):
        return
    after = job.position or 0
    while True:
        chunk = celebrations.celebrate_chunk(feast, days, after=after, at=job.at)
        if chunk.last is None:
            return
        after = chunk.last
        job.add(**{counted: chunk.rewarded})
        job.advance(position=after, done=chunk.members)


def start_segments(job: jobs.Running) -> None:
    """Have dynamic segments found anew, each by a job of its own: a step of the night."""
    segment_refresh.start_night(at=job.at)


def start_inactivity(job: jobs.Running) -> None:
    """Have members expire by inactivity, if the programme wants it: a step of the night."""
    expire_inactive(at=job.at)


# What comes later sees what came before: points, then tiers, then what depends on either.
NIGHT: dict[str, jobs.Step] = {
    "settle": run_sweep,
    "expiring": run_expiring,
    "tiers": run_review,
    "subscriptions": run_subscriptions,
    "vouchers": run_voucher_expiry,
    "birthdays": run_birthdays,
    "anniversaries": run_anniversaries,
    "inactivity": start_inactivity,
    "segments": start_segments,
    "audit": run_audit,
}


@shared_task
def start_tier_checks() -> None:
    """Look at the tiers that are due, and at everybody's once a ladder has taken effect."""
    now = timezone.now()
    ladder = configuration().ladder(now)
    if ladder is not None:
        jobs.start(apply_ladder.name, at=now, key=f"ladder:{ladder.number}")
    unfinished = Job.objects.filter(
        kind=check_tiers.name, status__in=[Job.Status.PENDING, Job.Status.RUNNING]
    )
    if tier_review.count_due(now) and not unfinished.exists():
        jobs.start(check_tiers.name, at=now)


@shared_task
def apply_ladder(*, job_id: str) -> None:
    """Review everybody under a ladder that has taken effect."""
    try:
        with jobs.resume(job_id) as job:
            _review(job, everybody=True)
    except jobs.NotForUs:
        return


@shared_task
def check_tiers(*, job_id: str) -> None:
    """Look at the tiers that were due when the job started, chunk by chunk."""
    try:
        with jobs.resume(job_id) as job:
            after = job.position or 0
            total = job.job.done + tier_review.count_due(job.at)
            while True:
                chunk = tier_review.check_chunk(after=after, at=job.at)
                if chunk.last is None:
                    return
                after = chunk.last
                job.advance(position=after, done=chunk.members, total=total)
    except jobs.NotForUs:
        return


@shared_task
def preview_ladder(*, job_id: str) -> None:
    """Find who would move under a ladder, chunk by chunk; the job's result tells."""
    try:
        with jobs.resume(job_id) as job:
            settings = configuration()
            definition = msgspec.convert(job.job.parameters["definition"], Definition)
            ladder = ladders.drafted_ladder(definition, settings, at=job.at)
            found = ladders.Preview.of(job.job.result)
            after = job.position or 0
            for last, chunk in ladders.preview_chunks(ladder, settings, at=job.at, after=after):
                found.add(chunk)
                job.job.result = {"members": found.members, "moves": found.rows()}
                job.advance(position=last, done=chunk.members, total=job.job.total)
    except jobs.NotForUs:
        return


@shared_task
def backtest_promotion(*, job_id: str) -> None:
    """Try a draft on history; the job's result is the report."""
    try:
        with jobs.resume(job_id) as job:
            backtest.run_backtest(job)
    except jobs.NotForUs:
        return


@shared_task
def map_segment_file(*, job_id: str) -> None:
    """Put a file of keys into effect on a segment, then map it to its promotion."""
    try:
        with jobs.resume(job_id) as job:
            segment_mapping.run_mapping(job, clock=timezone.now)
    except jobs.NotForUs:
        return


@shared_task
def start_draws() -> None:
    """Draw the sweepstakes whose time has come: one job each, ever."""
    now = timezone.now()
    for sweepstake in drawing.due(now):
        start_draw(sweepstake.pk, at=now)


def start_draw(sweepstake_id: int, *, at: datetime) -> Job:
    """Start the one job that draws a sweepstake; one that failed is restarted by hand."""
    return jobs.start(
        run_draw.name,
        at=at,
        key=f"draw:{sweepstake_id}",
        parameters={"sweepstake": sweepstake_id},
    )


@shared_task
def run_draw(*, job_id: str) -> None:
    """Fix the list of tickets, find the winners, write them, and issue what vouchers they won."""
    try:
        with jobs.resume(job_id) as job:
            key = job.job.parameters["sweepstake"]
            sweepstake = drawing.fix_list(key, at=job.at)
            job.advance(position="LISTED", done=-job.job.done, total=sweepstake.last_number)
            found = drawing.find_winners(
                sweepstake,
                lambda done: job.advance(position="READ", done=done, total=done),
            )
            draw = drawing.record(key, found, at=job.at)
            job.job.result = {"tickets": found.tickets, "winners": len(found.numbers)}
            job.add(vouchers=drawing.award_vouchers(draw, at=job.at))
    except jobs.NotForUs:
        return
