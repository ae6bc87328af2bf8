"""The rows of members in segments, counted anew, and those whose end has passed."""

from datetime import datetime

from django.db import connection

# Who is in, counted and stored with the segment in one statement.
_COUNT = """
UPDATE members_segment s SET refreshed_at = coalesce(%(at)s, refreshed_at), size = (
    SELECT count(*) FROM members_segmentmember m WHERE m.segment_id = s.id)
WHERE s.id = %(segment)s
"""
_ENDED = """
WITH ended AS (
    SELECT segment_id, member_id FROM members_segmentmember WHERE until <= %(at)s
    ORDER BY segment_id, member_id LIMIT %(at_most)s FOR UPDATE SKIP LOCKED)
DELETE FROM members_segmentmember m USING ended e
WHERE (m.segment_id, m.member_id) = (e.segment_id, e.member_id)
"""
CHUNK = 10_000


def count_again(segment_id: int, *, at: datetime | None) -> None:
    """Store how many members a segment has; with `at`, that they were found or loaded then. A step.

    It may take longer than an online statement is given.
    """
    assert connection.in_atomic_block
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(_COUNT, {"segment": segment_id, "at": at})


def drop_ended(*, at: datetime, at_most: int = CHUNK) -> int:
    """Delete memberships whose end has passed, some at once; a step. Return how many.

    They count for nothing since then; this only makes room.
    """
    assert connection.in_atomic_block
    with connection.cursor() as cursor:
        cursor.execute(_ENDED, {"at": at, "at_most": at_most})
        dropped: int = cursor.rowcount
        return dropped
