"""Celery entry points of the partners app."""

from celery import shared_task
from oauth2_provider.models import clear_expired


@shared_task
def clear_expired_tokens() -> None:
    """Delete the tokens that have ended; a client asks for a new one every half hour."""
    clear_expired()
