import re
from datetime import UTC, datetime
from typing import Any

from django.core import mail

from members.models import Verification
from members.services import messages


def deliver(*, at: datetime | None = None) -> int:
    """Do what the worker does with all that waits; return how many went out."""
    waiting = Verification.objects.order_by("created_at").values_list("pk", flat=True)
    return sum(messages.send(each, at=at or datetime.now(UTC)) for each in list(waiting))


def mailed() -> Any:
    """Return the last mail that went out."""
    return mail.outbox[-1]


def code_in(text: str) -> str:
    """Return the one-time code in a message."""
    [code] = re.findall(r"(?<![-0-9A-Z])[0-9]{6}(?![-0-9A-Z])", text)
    return str(code)


def token_in(text: str) -> str:
    """Return the token for a new password in a message."""
    [token] = re.findall(r"[A-Z0-9]{4}(?:-[A-Z0-9]{4}){4}", text)
    return str(token)
