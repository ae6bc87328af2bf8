"""Celery entry points of members."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from loyalty.services import jobs
from members.services import (
    aliases,
    messages,
    segment_import,
    segment_refresh,
    sessions,
    step_ups,
    verifications,
)


@shared_task
def import_segment_file(*, job_id: str) -> None:
    """Put a file of keys into effect on a static segment."""
    try:
        with jobs.resume(job_id) as job:
            segment_import.run_import(job)
    except jobs.NotForUs:
        return


@shared_task
def forget_import_tables() -> None:
    """Drop what imports that were given up have left."""
    segment_import.forget_tables(at=timezone.now())


@shared_task
def refresh_segment(*, job_id: str) -> None:
    """Find anew who is in a dynamic segment."""
    try:
        with jobs.resume(job_id) as job:
            segment_refresh.refresh(job)
    except jobs.NotForUs:
        return


@shared_task
def forget_released_aliases() -> None:
    """Delete the values whose quarantine is over: anybody may have them now."""
    aliases.forget_released(at=timezone.now())


@shared_task
def send_message(verification_id: str) -> None:
    """Send one code or token, unless it was sent."""
    messages.send(UUID(verification_id), at=timezone.now())


@shared_task
def send_forgotten_messages() -> None:
    """Send what a crash, or a provider that was away, left waiting."""
    for verification_id in messages.forgotten(at=timezone.now()):
        messages.send(verification_id, at=timezone.now())


@shared_task
def forget_codes_and_sessions() -> None:
    """Delete codes, step-ups and sessions that ended long ago."""
    now = timezone.now()
    verifications.forget_old(at=now)
    step_ups.forget_old(at=now)
    sessions.forget_old(at=now)
