"""The Celery app and the timetable: all periodic work, visible in one place."""

import os

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("laurel")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

app.conf.beat_schedule = {
    "settle what is due": {"task": "ledger.tasks.start_sweep", "schedule": 60.0},
    "the night": {"task": "promotions.tasks.start_night", "schedule": crontab(minute="5")},
    # Months end where the programme is; a month that is settled is left alone.
    "settle with partners": {
        "task": "ledger.tasks.start_settlement",
        "schedule": crontab(minute="20"),
    },
    "draw sweepstakes": {"task": "promotions.tasks.start_draws", "schedule": 60.0},
    "look at tiers": {"task": "promotions.tasks.start_tier_checks", "schedule": 60.0},
    "clear expired tokens": {
        "task": "partners.tasks.clear_expired_tokens",
        "schedule": crontab(minute="35", hour="3"),
    },
    "send webhooks": {"task": "loyalty.tasks.send_webhooks", "schedule": 5.0},
    "forget old deliveries": {
        "task": "loyalty.tasks.forget_old_deliveries",
        "schedule": crontab(minute="50", hour="3"),
    },
    "forget old keys": {
        "task": "loyalty.tasks.forget_old_keys",
        "schedule": crontab(minute="45", hour="3"),
    },
    "forget old files": {
        "task": "loyalty.tasks.forget_old_files",
        "schedule": crontab(minute="55", hour="3"),
    },
    "let released aliases go": {
        "task": "members.tasks.forget_released_aliases",
        "schedule": crontab(minute="50", hour="3"),
    },
    "send what was forgotten": {
        "task": "members.tasks.send_forgotten_messages",
        "schedule": 60.0,
    },
    "forget codes and sessions": {
        "task": "members.tasks.forget_codes_and_sessions",
        "schedule": crontab(minute="15", hour="4"),
    },
    "forget import tables": {
        "task": "members.tasks.forget_import_tables",
        "schedule": crontab(minute="50", hour="3"),
    },
    "requeue lost jobs": {"task": "loyalty.tasks.requeue_lost_jobs", "schedule": 60.0},
}
