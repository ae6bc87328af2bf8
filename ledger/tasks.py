"""Celery entry points of the ledger."""

from datetime import datetime
from typing import Any

from celery import shared_task
from django.utils import timezone

from ledger.services import settlement
from ledger.services.audit import audit
from loyalty.services import jobs
