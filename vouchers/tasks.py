"""Celery entry points of vouchers, benefits and subscriptions."""

from loyalty.services import jobs
from vouchers.services import renewals, voucher_expiry


def run_subscriptions(job: jobs.Running) -> None:
    """Settle the subscriptions that were due when the job started: a step of the night."""
    while (chunk := renewals.settle_chunk(at=job.at)).settled:
        job.add(subscriptions=chunk.settled)
        job.advance(position=job.position, done=chunk.settled)


def run_voucher_expiry(job: jobs.Running) -> None:
    """Expire vouchers and end holds that are due: a step of the night."""
    while any(counts := voucher_expiry.settle_chunk(at=job.at)):
        job.add(vouchers_expired=counts[0], holds_ended=counts[1])
        job.advance(position=job.position, done=sum(counts))
