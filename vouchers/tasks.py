"""Celery entry points of vouchers, benefits and subscriptions."""

from loyalty.services import jobs
from vouchers.services import renewals


def run_subscriptions(job: jobs.Running) -> None:
    """Settle the subscriptions that were due when the job started: a step of the night."""
    while (chunk := renewals.settle_chunk(at=job.at)).settled:
        job.add(subscriptions=chunk.settled)
        job.advance(position=job.position, done=chunk.settled)
