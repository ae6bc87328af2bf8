"""One-time codes and reset tokens on their way to members, by e-mail or SMS.

The row is the truth and the queue only a hint. The secret is made by the worker, in the moment it
sends: of it the database keeps a hash, and the queue carries the row's id alone. Sent again after
a crash, the message holds a new secret, and the one before no longer works.
"""

import logging
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import Q
from django.template.loader import select_template
from django.utils.crypto import salted_hmac

from loyalty.models import Program
from loyalty.queries.lookups import languages
from loyalty.secret import Secret
from loyalty.services.use_case import use_case
from members.models import Verification
from members.services import sms
from members.services.sms import SmsNotSent

log = logging.getLogger(__name__)
CODE_DIGITS = 6
# Without letters and digits that look alike; 20 of them are 98 bits.
TOKEN_SIGNS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
TOKEN_LENGTH = 20
AGAIN_AFTER = timedelta(minutes=2)  # A worker that claimed a message has failed or died by then.
FORGOTTEN_AFTER = timedelta(seconds=30)
SENT_AT_ONCE = 200
NAME_LENGTH_MAX = 40
LAST_RESORT = "en"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that this worker has to send."""

    id: UUID
    purpose: str
    channel: str
    to: str
    name: str
    languages: tuple[str, ...]
    minutes: int
    secret: str = field(repr=False)


def secret_hash(verification_id: UUID, purpose: str, secret: Secret) -> bytes:
    """Return under what a secret is kept. A code counts with its id, a reset token stands alone."""
    alone = purpose == Verification.Purpose.PASSWORD
    return salted_hmac(
        "laurel.verification",
        f"{'' if alone else verification_id}:{_plain(secret)}",
        secret=settings.LAUREL_PIN_PEPPER,
        algorithm="sha256",
    ).digest()


def _plain(secret: Secret) -> str:
    """Return a code or token as it is hashed, however a person typed it."""
    return secret.reveal().replace("-", "").replace(" ", "").upper()


def token_hash(token: Secret) -> bytes:
    """Return under what a reset token is looked for."""
    return secret_hash(UUID(int=0), Verification.Purpose.PASSWORD, token)


def send(verification_id: UUID, *, at: datetime) -> bool:
    """Send a message that waits; return whether it went out. One that was sent is left alone."""
    letter = _claim(verification_id, at=at)
    if letter is None:
        return False
    try:
        _deliver(letter)
    except (OSError, SmsNotSent) as error:  # SMTP's exceptions are OSErrors.
        log.warning("The message %s was not sent: %s", letter.id, type(error).__name__)
        return False
    Verification.objects.filter(pk=letter.id).update(sent_at=at)
    return True


@use_case
def _claim(verification_id: UUID, *, at: datetime) -> Letter | None:
    """Take a message for this worker, and make its secret; None if it is not to be sent (now)."""
    row = (
        Verification.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("member")
        .filter(_waiting(at), pk=verification_id)
        .first()
    )
    if row is None or row.member is None:
        return None
    secret = _token() if row.purpose == Verification.Purpose.PASSWORD else _code()
    row.secret_hash = secret_hash(row.pk, row.purpose, Secret(secret))
    row.claimed_at = at
    row.save(update_fields=["secret_hash", "claimed_at"])
    return Letter(
        id=row.pk,
        purpose=row.purpose,
        channel=row.channel,
        to=row.to,
        name=_greeted(row.member.first_name),
        languages=_languages(row.member.language),
        minutes=int((row.expires_at - at).total_seconds() // 60),
        secret=secret,
    )


def _waiting(at: datetime) -> Q:
    free = Q(claimed_at=None) | Q(claimed_at__lt=at - AGAIN_AFTER)
    return free & Q(member__isnull=False, sent_at=None, used_at=None, expires_at__gt=at)


def forgotten(*, at: datetime) -> list[UUID]:
    """Return what waits although the queue was told of it a while ago, the oldest first."""
    waiting = Verification.objects.filter(_waiting(at), created_at__lt=at - FORGOTTEN_AFTER)
    return list(waiting.order_by("created_at").values_list("pk", flat=True)[:SENT_AT_ONCE])


def _greeted(name: str) -> str:
    """Return a name if it is one: a stranger may have enrolled with a sentence and a link."""
    plain = all(sign.isalpha() or sign in " '-" for sign in name)
    return name if plain and len(name) <= NAME_LENGTH_MAX else ""


def _code() -> str:
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"


def _token() -> str:
    signs = "".join(secrets.choice(TOKEN_SIGNS) for _ in range(TOKEN_LENGTH))
    return "-".join(signs[place : place + 4] for place in range(0, TOKEN_LENGTH, 4))


def _languages(wanted: str) -> tuple[str, ...]:
    """Return the languages to look for texts in: de-AT, de, what it falls back to, the default."""
    known = {each.code: each for each in languages()}
    by_key = {each.pk: each for each in known.values()}
    chain = [wanted, wanted.partition("-")[0]]
    found = known.get(chain[0]) or known.get(chain[1])
    while found is not None and found.fallback_id in by_key and len(chain) < len(known) + 2:
        found = by_key[found.fallback_id]
        chain += [found.code, found.code.partition("-")[0]]
    for each in known.values():
        if each.is_default:
            chain += [each.code, each.code.partition("-")[0]]
    return tuple(dict.fromkeys(each for each in (*chain, LAST_RESORT) if each))


def _deliver(letter: Letter) -> None:
    if letter.channel == Verification.Channel.SMS:
        sms.sender().send(to=letter.to, text=_text("code.sms.txt", letter))
        return
    name = "password" if letter.purpose == Verification.Purpose.PASSWORD else "code"
    mail = EmailMultiAlternatives(
        subject=" ".join(_text(f"{name}.subject.txt", letter).split()),
        body=_text(f"{name}.txt", letter),
        to=[letter.to],
    )
    mail.attach_alternative(_text(f"{name}.html", letter), "text/html")
    mail.send()


def _text(template: str, letter: Letter) -> str:
    found = select_template([f"members/messages/{each}/{template}" for each in letter.languages])
    url = settings.LAUREL_PASSWORD_RESET_URL
    programme = Program.objects.values_list("name", flat=True).get(pk=1)
    context = {
        "letter": letter,
        "programme": programme,
        "url": url.replace("{token}", letter.secret) if url else "",
    }
    return str(found.render(context)).strip()
