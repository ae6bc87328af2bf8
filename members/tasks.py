"""Celery entry points of members."""

from celery import shared_task
from django.utils import timezone

from loyalty.services import jobs
from members.services import aliases, segment_refresh


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
