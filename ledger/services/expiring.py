"""Telling subscribers of points that will expire: once for each member, point type and date."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from loyalty.models import Program
from loyalty.services.use_case import use_case

CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Told:
    """How far a round came (`last` is None at the end), and how many notices it wrote."""

    last: int | None
    members: int = 0
    notices: int = 0


# Members by key whose book has something due within the lead time, which an index tells; of them,
# the open lots that expire in it. A notice that is there was told: its event is not written again.
# Replaces a pass over members in Python; notices and events are one statement, so that either both
# are written or none.
_TELL = """
WITH member AS (
    SELECT member_id FROM ledger_book
    WHERE due_at <= %(until)s AND member_id > %(after)s
    ORDER BY member_id LIMIT %(most)s
), expiring AS (
    SELECT l.member_id, l.point_type_id, l.expires_at,
           sum(l.pending + l.available + l.locked) AS points
    FROM ledger_lot l
    WHERE l.open AND l.member_id IN (SELECT member_id FROM member)
      AND l.expires_at > %(at)s AND l.expires_at <= %(until)s
    GROUP BY 1, 2, 3
), notice AS (
    INSERT INTO ledger_expirynotice (member_id, point_type_id, expires_at, points, told_at)
    SELECT member_id, point_type_id, expires_at, points, %(at)s FROM expiring
    ON CONFLICT DO NOTHING
    RETURNING member_id, point_type_id, expires_at, points
), event AS (
    INSERT INTO loyalty_outboxevent (type, member_id, partner_id, created_at, payload)
    SELECT 'points.expiring', n.member_id, h.id, %(at)s, jsonb_build_object(
               'type', y.code, 'points', n.points,
               'expires_at', to_char(n.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
               'last_valid_date',
               to_char((n.expires_at - interval '1 microsecond') AT TIME ZONE g.time_zone,
                       'YYYY-MM-DD'))
    FROM notice n
    JOIN ledger_pointtype y ON y.id = n.point_type_id
    CROSS JOIN (SELECT id FROM partners_partner WHERE is_house) h
    CROSS JOIN loyalty_program g
    ORDER BY n.member_id, n.expires_at, y.code
)
SELECT (SELECT max(member_id) FROM member), (SELECT count(*) FROM member),
       (SELECT count(*) FROM notice)
"""


@use_case
def tell_chunk(*, after: int, at: datetime, at_most: int = CHUNK) -> Told:
    """Tell of the next members by key whose points expire within the programme's lead time.

    Safe to repeat: what was told is not told again. Nothing is told where the programme has no
    lead time.
    """
    before = Program.objects.values_list("points_expiring_before", flat=True).get(pk=1)
    if before is None:
        return Told(None)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '120s'")
        arguments: dict[str, Any] = {
            "after": after,
            "at": at,
            "until": at + before,
            "most": at_most,
        }
        cursor.execute(_TELL, arguments)
        last, members, notices = cursor.fetchone()
    return Told(last, members, notices)


@use_case
def forget_notices(*, at: datetime) -> int:
    """Delete the notices of what has expired; return how many there were."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '120s'")
        cursor.execute("DELETE FROM ledger_expirynotice WHERE expires_at <= %s", [at])
        return int(cursor.rowcount)
