"""Sending SMS: the one place where a deployment plugs in its provider.

`LAUREL_SMS_SENDER` names a class with the method of `SmsSender`, made once per process without
arguments; it reads its own settings. The default writes files, so that codes can be seen working.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Protocol, cast

import uuid_utils.compat
from django.conf import settings
from django.utils.module_loading import import_string


class SmsNotSent(Exception):
    """The provider did not take the message; it is tried again while its code lives."""


class SmsSender(Protocol):
    """What a provider has to do."""

    def send(self, *, to: str, text: str) -> None:
        """Send a text to a number in E.164, within 10 s; it may come twice after a crash.

        :raises SmsNotSent: if the provider did not take it.
        """


class FileSender:
    """Writes each message to a file of its own in `LAUREL_SMS_FOLDER`."""

    def send(self, *, to: str, text: str) -> None:
        folder = settings.LAUREL_SMS_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid_utils.compat.uuid7()}.txt"
        (folder / name).write_text(f"To: {to}\n\n{text}\n", encoding="utf-8")


@cache
def sender() -> SmsSender:
    """Return the sender that the settings name."""
    return cast(SmsSender, import_string(settings.LAUREL_SMS_SENDER)())
