"""Attempts that can be guessed: sign-in, PIN, card and voucher numbers.

An attempt is counted first, in a transaction of its own, then judged, and cleared by success: so
neither a crash nor a race gives a free guess (DESIGN 4). Subjects are kept as keyed hashes, known
or unknown alike, so that nothing tells which names exist.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils.crypto import salted_hmac

from loyalty.errors import LockedOut
from loyalty.models import Attempt
from loyalty.services.use_case import use_case

FORGOTTEN_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Policy:
    """How many attempts are free, how long the first lock-out is, and how long they may get.

    Each failure after a lock-out doubles the next one.
    """

    kind: str
    free: int
    first_wait: timedelta
    longest_wait: timedelta


SIGN_IN = Policy("SIGN_IN", 5, timedelta(minutes=1), timedelta(hours=1))
# Beside the name, so that many names of one member, or many members from one place, are no way
# round it. An address is shared by households and offices, so it is given more room.
SIGN_IN_MEMBER = Policy("SIGN_IN_MEMBER", 10, timedelta(minutes=1), timedelta(hours=1))
SIGN_IN_ADDRESS = Policy("SIGN_IN_ADDRESS", 100, timedelta(minutes=1), timedelta(hours=1))
CODES_SENT = Policy("CODES_SENT", 5, timedelta(minutes=5), timedelta(days=1))
# Of a public client, by address: what it is refused could tell who is a member.
ENROLLMENT = Policy("ENROLLMENT", 10, timedelta(minutes=1), timedelta(hours=1))
PIN = Policy("PIN", 5, timedelta(minutes=15), timedelta(days=1))
ONE_TIME_CODE = Policy("ONE_TIME_CODE", 5, timedelta(minutes=15), timedelta(days=1))

# Replaces a locked read and a write: of racing attempts, each is counted or locked out.
_COUNT = """
INSERT INTO loyalty_attempt AS a (kind, subject, failures, last_at, locked_until)
VALUES (%(kind)s, %(subject)s, 1, %(at)s, CASE WHEN %(free)s <= 1 THEN %(at)s + %(first)s END)
ON CONFLICT (kind, subject) DO UPDATE SET
    failures = CASE WHEN a.last_at < %(forgotten)s THEN 1 ELSE a.failures + 1 END,
    last_at = %(at)s,
    locked_until = CASE
        WHEN a.last_at < %(forgotten)s OR a.failures + 1 < %(free)s THEN NULL
        ELSE %(at)s + least(
            %(longest)s, %(first)s * power(2, least(a.failures + 1 - %(free)s, 20))) END
WHERE a.locked_until IS NULL OR a.locked_until <= %(at)s
RETURNING failures
"""


@use_case
def count(policy: Policy, subject: str, *, at: datetime) -> int:
    """Count an attempt before it is judged; return how many are left if it fails.

    Committed at once: call it before the transaction of what the attempt is for.

    :raises LockedOut: if too many failed lately; the attempt is not counted then.
    """
    key = _hash(policy, subject)
    arguments: dict[str, Any] = {
        "kind": policy.kind,
        "subject": key,
        "at": at,
        "free": policy.free,
        "first": policy.first_wait,
        "longest": policy.longest_wait,
        "forgotten": at - FORGOTTEN_AFTER,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, arguments)
        row = cursor.fetchone()
    if row is None:
        until = Attempt.objects.values_list("locked_until", flat=True).get(
            kind=policy.kind, subject=key
        )
        assert until is not None
        raise LockedOut(until)
    return max(0, policy.free - int(row[0]))


def clear(policy: Policy, subject: str) -> None:
    """Forget the failures of a subject: the attempt was right, or the help desk helps."""
    Attempt.objects.filter(kind=policy.kind, subject=_hash(policy, subject)).delete()


def forgive(policy: Policy, subject: str) -> None:
    """Take back one attempt that was right, where others of the subject may have been wrong."""
    Attempt.objects.filter(kind=policy.kind, subject=_hash(policy, subject), failures__gt=0).update(
        failures=F("failures") - 1
    )


def locked_until(policy: Policy, subject: str, *, at: datetime) -> datetime | None:
    """Return until when a subject is locked out; None if it is not."""
    return (
        Attempt.objects.filter(
            kind=policy.kind, subject=_hash(policy, subject), locked_until__gt=at
        )
        .values_list("locked_until", flat=True)
        .first()
    )


def _hash(policy: Policy, subject: str) -> bytes:
    return salted_hmac(
        f"laurel.attempt.{policy.kind}", subject, secret=settings.SECRET_KEY, algorithm="sha256"
    ).digest()
