"""Reads of segments: the facts of members that conditions ask for, and who is in a segment."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q

from members.models import SegmentMember
from members.segment_facts import Facts

READ_AT_ONCE = 5_000

# Members by key with everything that a condition may ask for. The merged are their survivors, and
# the closed are gone. Consents are looked up only where they are asked for.
_FACTS = """
SELECT m.id, m.birth_date, m.address ->> 'country', m.language, m.currency, m.stage, t.code, p.code,
       m.joined_at, m.email <> '', m.phone <> '', {consents}, m.attributes
FROM members_member m
JOIN members_tier t ON t.id = m.tier_id
JOIN partners_partner p ON p.id = m.enrolled_by_id
WHERE m.id > %s AND m.stage NOT IN ('MERGED', 'CLOSED')
ORDER BY m.id LIMIT %s
"""
_CONSENTS = """
ARRAY(SELECT CASE channel WHEN '' THEN category ELSE category || '/' || channel END
      FROM (SELECT DISTINCT ON (category, channel) category, channel, given
            FROM members_consent c WHERE c.member_id = m.id
            ORDER BY category, channel, at DESC, id DESC) latest
      WHERE given)
"""


def facts_after(member_id: int, limit: int, *, consents: bool) -> list[Facts]:
    """Return the facts of the next members by key. One query."""
    asked = _CONSENTS if consents else "'{}'::text[]"
    with connection.cursor() as cursor:
        cursor.execute(_FACTS.format(consents=asked), [member_id, limit])
        return [Facts._make([*row[:-1], _object(row[-1])]) for row in cursor.fetchall()]


def _object(value: Any) -> dict[str, Any]:
    """Return a jsonb value that Django's cursor leaves as text."""
    loaded = json.loads(value) if isinstance(value, str) else value
    return loaded if isinstance(loaded, dict) else {}


def members_of(segment_id: int, *, at: datetime) -> Iterator[tuple[str, datetime, datetime | None]]:
    """Yield who is in a segment by key, some thousands at a time: number, since and until."""
    rows = (
        SegmentMember.objects.filter(Q(until=None) | Q(until__gt=at), segment=segment_id)
        .order_by("member_id")
        .values_list("member_id", "member__number", "since", "until")
    )
    page = list(rows[:READ_AT_ONCE])
    while page:
        yield from ((number, since, until) for _, number, since, until in page)
        page = list(rows.filter(member_id__gt=page[-1][0])[:READ_AT_ONCE])


def segment_codes(member_id: int, at: datetime) -> list[str]:
    """Return the codes of the segments that a member is in at an instant. One query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT members_segment_codes(%s, %s)", [member_id, at])
        return list(cursor.fetchone()[0])
