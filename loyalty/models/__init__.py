"""The tables of the programme itself."""

from loyalty.models.change import Attempt, IdempotencyKey
from loyalty.models.codes import CODE, CURRENCY, LANGUAGE, SLUG
from loyalty.models.job import Job, JobError, Upload
from loyalty.models.lookups import (
    CommunicationCategory,
    CommunicationChannel,
    Currency,
    CurrencyRate,
    IdentityProvider,
    Language,
)
from loyalty.models.master import Master, MasterEntity
from loyalty.models.outbox import OutboxEvent
from loyalty.models.program import Program, User
from loyalty.models.webhook import WebhookDelivery, WebhookSubscription

__all__ = [
    "CODE",
    "CURRENCY",
    "LANGUAGE",
    "SLUG",
    "Attempt",
    "CommunicationCategory",
    "CommunicationChannel",
    "Currency",
    "CurrencyRate",
    "IdempotencyKey",
    "IdentityProvider",
    "Job",
    "JobError",
    "Language",
    "Master",
    "MasterEntity",
    "OutboxEvent",
    "Program",
    "Upload",
    "User",
    "WebhookDelivery",
    "WebhookSubscription",
]
