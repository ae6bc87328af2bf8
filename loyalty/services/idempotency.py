"""`Idempotency-Key`: a change that is sent again is answered again, and not made again.

For changes that carry no reference of their own; postings find their replay in the books.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from loyalty.digest import digest_of
from loyalty.errors import FieldError, ReferenceConflict, ValidationFailed
from loyalty.models import IdempotencyKey
from loyalty.services.use_case import use_case

KEPT = timedelta(days=30)
KEY_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class Key:
    """A key, unique per client and route, with the digest of what was sent under it."""

    client_id: str
    route: str
    key: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Done:
    """The answer of a change as JSON; `replayed` if it had been made before."""

    answer: bytes
    status: int
    replayed: bool


def key_of(header: str | None, *, client_id: str, route: str, body: msgspec.Struct) -> Key | None:
    """Return the key of a request; None where it has none.

    :raises ValidationFailed: if the header is empty, too long, or not printable ASCII.
    """
    if header is None:
        return None
    if not header or len(header) > KEY_LENGTH_MAX or not header.isascii():
        message = f"Send 1 to {KEY_LENGTH_MAX} printable ASCII characters."
        raise ValidationFailed([FieldError("/headers/Idempotency-Key", "NOT_IN_FORM", message)])
    return Key(client_id, route, header, digest_of(route, body))


@use_case
def run(
    work: Callable[[], msgspec.Struct],
    *,
    key: Key | None,
    at: datetime,
    status: int | Callable[[], int] = 200,
) -> Done:
    """Make a change and keep its answer under the key, in one transaction.

    `status` is asked for when the work is done, where only the work can tell.

    A twin that comes meanwhile waits for this transaction on the key's unique index, and then
    finds the answer. A refusal leaves the key free.

    :raises ReferenceConflict: if the key was used for other content.
    """
    row = _claim(key, at) if key else None
    if key and row is None:
        return _earlier(key)
    answer = msgspec.json.encode(work())
    code = status() if callable(status) else status
    if row is not None:
        IdempotencyKey.objects.filter(pk=row).update(answer=answer, status=code)
    return Done(answer, code, replayed=False)


def _claim(key: Key, at: datetime) -> int | None:
    made = IdempotencyKey.objects.bulk_create(
        [
            IdempotencyKey(
                client_id=key.client_id,
                route=key.route,
                key=key.key,
                digest=key.digest,
                created_at=at,
            )
        ],
        ignore_conflicts=True,
    )
    found = IdempotencyKey.objects.filter(
        client_id=key.client_id, route=key.route, key=key.key, status=None
    ).values_list("pk", flat=True)
    assert made
    return found.first()


def _earlier(key: Key) -> Done:
    row = IdempotencyKey.objects.get(client_id=key.client_id, route=key.route, key=key.key)
    if bytes(row.digest) != key.digest:
        raise ReferenceConflict
    assert row.answer is not None
    assert row.status is not None
    return Done(bytes(row.answer), row.status, replayed=True)


def forget_old(*, at: datetime) -> int:
    """Delete the keys that are older than 30 days; return how many."""
    return IdempotencyKey.objects.filter(created_at__lt=at - KEPT).delete()[0]
