"""Sessions of members: opening, refreshing and ending them."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import uuid_utils.compat
from django.core.signing import BadSignature, Signer
from django.db import connection, transaction
from django.db.models import Q

from loyalty import token_cache
from loyalty.caller import Actor
from loyalty.models import Program
from loyalty.secret import Secret
from loyalty.services.use_case import use_case
from members.models import Session
from members.queries.sessions import TOKEN_PREFIX, hash_of
from members.queries.stages import may_sign_in
from members.services import activity
from members.sign_in_errors import RefreshInvalid

SECRET_BYTES = 32
KEPT = timedelta(days=90)
REFRESH_PREFIX = "mrt_"
# A refresh token names its session and is signed: one of ours that is not the session's latest
# was used before, and nobody can end a session by making one up.
_signer = Signer(salt="laurel.session.refresh", sep=".")


@dataclass(frozen=True, slots=True)
class Opened:
    """A session with its tokens, which are shown once."""

    session: Session
    token: str
    refresh: str


def open_session(member_id: int, *, at: datetime, device: str = "") -> Opened:
    """Open a session of a member; a step. Whether the member may sign in is judged before."""
    assert connection.in_atomic_block
    session = Session(
        id=uuid_utils.compat.uuid7(), member_id=member_id, device=device, created_at=at
    )
    opened = _renewed(session, at=at)
    session.save(force_insert=True)
    return opened


def _renewed(session: Session, *, at: datetime) -> Opened:
    """Give a session new tokens, and new ends; it is not stored yet."""
    token = TOKEN_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    named = f"{session.pk.hex}.{secrets.token_urlsafe(SECRET_BYTES)}"
    refresh = REFRESH_PREFIX + _signer.sign(named)
    program = Program.objects.get(pk=1)
    session.token_hash, session.refresh_hash = hash_of(token), hash_of(refresh)
    session.refreshed_at = at
    session.expires_at = at + program.session_lives
    session.refresh_expires_at = at + program.refresh_lives
    return Opened(session, token, refresh)


def refresh(token: Secret, *, at: datetime) -> Opened:
    """Give a session new tokens for its refresh token, which is worth nothing afterwards.

    One that comes a second time was stolen, or its thief was first: the session ends.

    :raises RefreshInvalid: if it is unknown, was used before, or the session has ended.
    """
    session_id = _session_named(token)
    opened = _rotate(session_id, hash_of(token.reveal()), at=at)
    if opened is None:
        raise RefreshInvalid
    return opened


def _session_named(token: Secret) -> UUID:
    try:
        named = _signer.unsign(token.reveal().removeprefix(REFRESH_PREFIX))
    except BadSignature:
        raise RefreshInvalid from None
    return UUID(named.partition(".")[0])


@use_case
def _rotate(session_id: UUID, token_hash: bytes, *, at: datetime) -> Opened | None:
    """Rotate under the session's lock, so that of two calls with one token the second is seen."""
    session = (
        Session.objects.select_for_update(of=("self",))
        .select_related("member__credential")
        .filter(pk=session_id)
        .first()
    )
    if session is None or session.ended_at is not None:
        return None
    if bytes(session.refresh_hash) != token_hash:
        end_sessions(session.member_id, at=at, only=session.pk)
        data = {"session": str(session.pk)}
        by = Actor.system("refresh")
        activity.record(session.member_id, "SESSION_REVOKED", by=by, at=at, data=data)
        return None
    if session.refresh_expires_at <= at or not may_sign_in(session.member.stage):
        return None
    opened = _renewed(session, at=at)
    session.save()
    return opened


def end_sessions(
    member_id: int, *, at: datetime, only: UUID | None = None, keep: UUID | None = None
) -> int:
    """End a member's sessions: all, `only` one, or all but the one to `keep`; a step.

    Other processes may take an ended token for up to 30 s more (`loyalty.token_cache`).
    """
    assert connection.in_atomic_block
    sessions = Session.objects.filter(member_id=member_id, ended_at=None)
    if only is not None:
        sessions = sessions.filter(pk=only)
    if keep is not None:
        sessions = sessions.exclude(pk=keep)
    ended = sessions.update(ended_at=at)
    if ended:
        token_cache.clear()
        transaction.on_commit(token_cache.clear)  # What was looked up meanwhile, too.
    return ended


@use_case
def forget_old(*, at: datetime) -> int:
    """Delete sessions that ended, or could last be refreshed, a quarter of a year ago."""
    long_ago = at - KEPT
    over = Q(ended_at__lt=long_ago) | Q(refresh_expires_at__lt=long_ago)
    return Session.objects.filter(over).delete()[0]
