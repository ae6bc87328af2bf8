"""Celery entry points of members."""

from celery import shared_task

from loyalty.services import jobs
from members.services import segment_refresh


@shared_task
def refresh_segment(*, job_id: str) -> None:
    """Find anew who is in a dynamic segment."""
    try:
        with jobs.resume(job_id) as job:
            segment_refresh.refresh(job)
    except jobs.NotForUs:
        return
