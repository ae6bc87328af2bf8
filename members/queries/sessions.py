"""Who is behind a member's session."""

import hashlib
from datetime import datetime

from django.utils import timezone

from loyalty.caller import Caller, CallerKind
from members.models import Session
from members.queries.stages import may_sign_in
from partners.queries import house

TOKEN_PREFIX = "mst_"  # noqa: S105 how session tokens begin, so that they are told from clients'
REQUESTS_PER_MINUTE = 300


def hash_of(token: str) -> bytes:
    """Return under what a session's token is kept: only its hash is stored."""
    return hashlib.sha256(token.encode()).digest()


def caller_of_session(token: str) -> tuple[Caller, datetime] | None:
    """Return the member behind a session's token and when it ends; None if it is not valid.

    Two queries. A member whose stage forbids signing in is nobody; of a merged member, the
    survivor is meant: sessions move with the merge.
    """
    now = timezone.now()
    session = (
        Session.objects.select_related("member")
        .filter(token_hash=hash_of(token), ended_at=None, expires_at__gt=now)
        .first()
    )
    if session is None or not may_sign_in(session.member.stage):
        return None
    partner = house()
    caller = Caller(
        client_id=f"session:{session.pk}",
        partner_id=partner.pk,
        partner_code=partner.code,
        house=False,
        scopes=frozenset(),
        rate_limit_per_minute=REQUESTS_PER_MINUTE,
        kind=CallerKind.MEMBER,
        member_id=session.member_id,
        member_number=session.member.number,
        session_id=session.pk,
    )
    return caller, session.expires_at
