"""Celery entry points of the programme."""

from celery import shared_task
from django.utils import timezone

from loyalty.services import idempotency, jobs


@shared_task
def requeue_lost_jobs() -> None:
    """Queue again the jobs that a crash forgot."""
    jobs.requeue_lost(at=timezone.now())


@shared_task
def forget_old_keys() -> None:
    """Delete idempotency keys that are older than 30 days."""
    idempotency.forget_old(at=timezone.now())
