"""Sessions of members: opening and ending them."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import uuid_utils.compat
from django.db import connection

from loyalty import token_cache
from loyalty.models import Program
from members.models import Session
from members.queries.sessions import TOKEN_PREFIX, hash_of

SECRET_BYTES = 32
REFRESH_PREFIX = "mrt_"


@dataclass(frozen=True, slots=True)
class Opened:
    """A session with its tokens, which are shown once."""

    session: Session
    token: str
    refresh: str


def open_session(member_id: int, *, at: datetime, device: str = "") -> Opened:
    """Open a session of a member; a step. Whether the member may sign in is judged before."""
    assert connection.in_atomic_block
    token = TOKEN_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    refresh = REFRESH_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    program = Program.objects.get(pk=1)
    session = Session.objects.create(
        id=uuid_utils.compat.uuid7(),
        member_id=member_id,
        token_hash=hash_of(token),
        refresh_hash=hash_of(refresh),
        device=device,
        created_at=at,
        refreshed_at=at,
        expires_at=at + program.session_lives,
        refresh_expires_at=at + program.refresh_lives,
    )
    return Opened(session, token, refresh)


def end_sessions(
    member_id: int, *, at: datetime, only: UUID | None = None, keep: UUID | None = None
) -> int:
    """End a member's sessions: all, `only` one, or all but the one to `keep`; a step.

    Other processes may take an ended token for up to 30 s more (`loyalty.token_cache`).
    """
    sessions = Session.objects.filter(member_id=member_id, ended_at=None)
    if only is not None:
        sessions = sessions.filter(pk=only)
    if keep is not None:
        sessions = sessions.exclude(pk=keep)
    ended = sessions.update(ended_at=at)
    if ended:
        token_cache.clear()
    return ended
