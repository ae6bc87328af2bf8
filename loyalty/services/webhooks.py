"""Webhook subscriptions: where to, of what, and with which secret."""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from loyalty import sealing
from loyalty.errors import FieldError, NotFound, ValidationFailed, VersionConflict
from loyalty.event_types import is_pattern
from loyalty.models import OutboxEvent, WebhookSubscription

SECRET_BYTES = 32
BOTH_FOR = timedelta(days=1)
PURPOSE = "webhook"
AT_MOST = 20


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a subscription is: a partner, or the house, which hears of all partners."""

    partner_id: int
    house: bool


@dataclass(frozen=True, slots=True)
class Put:
    """A subscription as it was put; `secret` is shown once, when it is new."""

    subscription: WebhookSubscription
    secret: str | None
    changed: bool


def put(
    owner: Owner,
    code: str,
    *,
    url: str,
    events: list[str],
    active: bool,
    version: int | None,
    at: datetime,
) -> Put:
    """Make a subscription or change it; a step. The same content again changes nothing.

    A new one is told of what happens from now on.

    :raises ValidationFailed: if the address or an event type cannot be, or there are too many.
    :raises VersionConflict: if it stands at another version than the caller read.
    """
    assert connection.in_atomic_block
    check_url(url)
    for place, event in enumerate(events):
        if not is_pattern(event):
            message = f"There is no event type {event!r}."
            raise ValidationFailed([FieldError(f"/events/{place}", "UNKNOWN", message)])
    mine = WebhookSubscription.objects.select_for_update().filter(partner_id=owner.partner_id)
    known = list(mine.order_by("pk"))
    row = next((each for each in known if each.code == code), None)
    if row is None:
        return _make(owner, code, url, events, active=active, known=len(known), at=at)
    if version not in (None, row.version):
        raise VersionConflict(row.version)
    wanted = (url, events, active)
    if (row.url, row.events, row.active) == wanted:
        return Put(row, None, changed=False)
    if active and not row.active:
        row.seen_transaction, row.seen_event = _here()
    row.url, row.events, row.active = wanted
    row.version += 1
    row.save()
    return Put(row, None, changed=True)


def _make(
    owner: Owner,
    code: str,
    url: str,
    events: list[str],
    *,
    active: bool,
    known: int,
    at: datetime,
) -> Put:
    if known >= AT_MOST:
        message = f"At most {AT_MOST} subscriptions: delete one, or widen its events."
        raise ValidationFailed([FieldError("", "TOO_MANY", message)])
    secret, (transaction, event) = new_secret(), _here()
    row = WebhookSubscription.objects.create(
        code=code,
        partner_id=owner.partner_id,
        house=owner.house,
        url=url,
        events=events,
        active=active,
        secret=sealing.seal(secret, purpose=PURPOSE),
        seen_transaction=transaction,
        seen_event=event,
        created_at=at,
    )
    return Put(row, secret, changed=True)


def _here() -> tuple[int, int]:
    """Return the end of the outbox: the last of what is complete, and its last event."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1")
        transaction = cursor.fetchone()[0]
    last = OutboxEvent.objects.order_by("-pk").values_list("pk", flat=True).first()
    return transaction, last or 0


def new_secret() -> str:
    """Return a secret as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def check_url(url: str) -> None:
    """:raises ValidationFailed: if the address is not https, or carries a name or password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValidationFailed([FieldError("/url", "NOT_IN_FORM", "This is no URL.")]) from None
    schemes = ("https", "http") if settings.WEBHOOKS_TO_PRIVATE_ADDRESSES else ("https",)
    named = parts.username is not None or parts.password is not None
    if parts.scheme not in schemes or not parts.hostname or named or port == 0 or parts.fragment:
        message = "Give an https URL without user, password and fragment."
        raise ValidationFailed([FieldError("/url", "NOT_IN_FORM", message)])


def subscription_of(owner: Owner, code: str) -> WebhookSubscription:
    """Return a subscription of its owner.

    :raises NotFound: if there is none, or it is another's.
    """
    row = WebhookSubscription.objects.filter(partner_id=owner.partner_id, code=code).first()
    if row is None:
        raise NotFound("No such webhook.")
    return row


def rotate(owner: Owner, code: str, *, at: datetime) -> tuple[WebhookSubscription, str]:
    """Give a subscription a new secret; for a day, both sign. A step. The secret is shown once."""
    assert connection.in_atomic_block
    row = subscription_of(owner, code)
    secret = new_secret()
    row.second_secret, row.second_secret_until = row.secret, at + BOTH_FOR
    row.secret = sealing.seal(secret, purpose=PURPOSE)
    row.save(update_fields=["secret", "second_secret", "second_secret_until"])
    return row, secret


def secrets_of(row: WebhookSubscription, *, at: datetime) -> list[str]:
    """Return what a delivery is signed with: the secret, and the one before while it counts."""
    found = [sealing.unseal(row.secret, purpose=PURPOSE)]
    if row.second_secret and row.second_secret_until and row.second_secret_until > at:
        found.append(sealing.unseal(row.second_secret, purpose=PURPOSE))
    return found
