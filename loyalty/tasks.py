"""Celery entry points of the programme."""

from celery import shared_task
from django.utils import timezone

from loyalty.services import deliveries, idempotency, job_errors, jobs, uploads


@shared_task
def requeue_lost_jobs() -> None:
    """Queue again the jobs that a crash forgot."""
    jobs.requeue_lost(at=timezone.now())


@shared_task
def forget_old_keys() -> None:
    """Delete idempotency keys that are older than 30 days."""
    idempotency.forget_old(at=timezone.now())


@shared_task
def forget_old_files() -> None:
    """Delete uploaded files that are older than a week, and errors of jobs older than 90 days."""
    uploads.forget_old(at=timezone.now())
    job_errors.forget_old(at=timezone.now())


@shared_task
def send_webhooks() -> None:
    """Make deliveries of what is new, and send what is due, until nothing more is."""
    deliveries.fan_out(at=timezone.now())
    while deliveries.deliver():
        deliveries.fan_out(at=timezone.now())


@shared_task
def forget_old_deliveries() -> None:
    """Delete deliveries and announced events that are older than 30 days."""
    deliveries.forget_old(at=timezone.now())
