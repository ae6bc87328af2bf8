"""The last step of a segment's import: what the file names becomes who is in the segment.

One transaction, whatever the mode and the size: readers see who was in before, or who is in after,
and a worker that is killed in the middle leaves what was before.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from loyalty.models import Job
from loyalty.services import jobs
from loyalty.services.use_case import use_case
from members.errors import SegmentIsDynamic
from members.import_errors import ImportSuperseded, SegmentFileEmpty
from members.models import Segment
from members.services.segment_rows import count_again

ADD, REMOVE, REPLACE = MODES = ("ADD", "REMOVE", "REPLACE")
SWITCHED = "SWITCHED"  # The phase of a job whose file is in effect.


@dataclass(frozen=True, slots=True)
class Switch:
    """What is to be made of the members that a job gathered in its table."""

    segment_id: int
    code: str
    mode: str
    until: datetime | None
    table: str
    dry_run: bool
    allow_empty: bool


# The file's members, each once. Sorted, so that rows are written in the order of their index.
_LISTED = """
CREATE TEMPORARY TABLE listed ON COMMIT DROP AS
SELECT member_id FROM {table} GROUP BY member_id ORDER BY member_id
"""
# Whose membership has ended is out: the row would be in the way.
_DROP_ENDED = "DELETE FROM members_segmentmember WHERE segment_id = %(segment)s AND until <= %(at)s"
# Who is in already, and how many of them with another end.
_COMPARE = """
SELECT count(*), count(*) FILTER (WHERE m.until IS DISTINCT FROM %(until)s)
FROM listed l JOIN members_segmentmember m
  ON m.segment_id = %(segment)s AND m.member_id = l.member_id
WHERE m.until IS NULL OR m.until > %(at)s
"""
_COUNT_OTHERS = """
SELECT count(*) FROM members_segmentmember m
WHERE m.segment_id = %(segment)s AND (m.until IS NULL OR m.until > %(at)s)
  AND NOT EXISTS (SELECT 1 FROM listed l WHERE l.member_id = m.member_id)
"""
_UPDATE = """
UPDATE members_segmentmember m SET until = %(until)s FROM listed l
WHERE m.segment_id = %(segment)s AND m.member_id = l.member_id
  AND m.until IS DISTINCT FROM %(until)s
"""
_INSERT = """
INSERT INTO members_segmentmember (segment_id, member_id, since, until)
SELECT %(segment)s, l.member_id, %(at)s, %(until)s FROM listed l
WHERE NOT EXISTS (
    SELECT 1 FROM members_segmentmember m
    WHERE m.segment_id = %(segment)s AND m.member_id = l.member_id)
ORDER BY l.member_id
ON CONFLICT DO NOTHING
"""
_DELETE = """
DELETE FROM members_segmentmember m USING listed l
WHERE m.segment_id = %(segment)s AND m.member_id = l.member_id
"""
_DELETE_OTHERS = """
DELETE FROM members_segmentmember m
WHERE m.segment_id = %(segment)s
  AND NOT EXISTS (SELECT 1 FROM listed l WHERE l.member_id = m.member_id)
"""


@use_case
def switch(job: jobs.Running, wanted: Switch) -> None:
    """Put what a file names into effect, with the counts and the job's position.

    Imports of one segment come one after the other. A file that was sent earlier does not undo
    one that was sent later.

    :raises ImportSuperseded: if a later import was put into effect, and one of the two replaces.
    :raises SegmentFileEmpty: if a file that names nobody would empty the segment.
    :raises SegmentIsDynamic: if a condition says by now who is in it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', '0', true),"
            " set_config('lock_timeout', '0', true), set_config('work_mem', '64MB', true)"
        )
    _take_turn(wanted.segment_id)
    _check(job.job, wanted)
    counts = _write(wanted, job.at)
    if not wanted.dry_run:
        count_again(wanted.segment_id, at=job.at)
    duplicates = job.position["found"] - counts["members"]
    job.job.result |= {**counts, "duplicates": duplicates}  # Set, so that a retry adds nothing.
    job.advance(position={"phase": SWITCHED}, done=0)


def _take_turn(segment_id: int) -> None:
    """Wait until no other import is at this segment; its row is not locked, calls go on."""
    with connection.cursor() as cursor:
        name = f"members_segment:{segment_id}"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def _check(job: Job, wanted: Switch) -> None:
    if not Segment.objects.filter(pk=wanted.segment_id, kind=Segment.Kind.STATIC).exists():
        raise SegmentIsDynamic(segment=wanted.code)
    if wanted.dry_run:
        return
    later = Job.objects.filter(
        kind=job.kind,
        dry_run=False,
        created_at__gt=job.created_at,
        parameters__segment=wanted.segment_id,
        position__phase=SWITCHED,
    )
    if wanted.mode != REPLACE:
        later = later.filter(parameters__mode=REPLACE)
    if later.exists():
        raise ImportSuperseded


def _write(wanted: Switch, at: datetime) -> dict[str, int]:
    """Return how many members the file names, and what became of them or, dry, would."""
    values: dict[str, Any] = {"segment": wanted.segment_id, "at": at, "until": wanted.until}
    with connection.cursor() as cursor:
        cursor.execute(_LISTED.format(table=wanted.table))
        members: int = cursor.rowcount
        if not members and wanted.mode == REPLACE and not wanted.allow_empty:
            raise SegmentFileEmpty
        cursor.execute("ANALYZE listed")
        cursor.execute(_COMPARE, values)
        inside, other_end = cursor.fetchone()
        added, updated, removed = members - inside, other_end, 0
        if wanted.mode == REMOVE:
            added, updated, removed = 0, 0, inside
        elif wanted.mode == REPLACE and wanted.dry_run:
            cursor.execute(_COUNT_OTHERS, values)
            removed = cursor.fetchone()[0]
        if not wanted.dry_run:
            cursor.execute(_DROP_ENDED, values)
            done = dict.fromkeys(_STATEMENTS, 0)
            for name in _needed(wanted.mode, inside=inside, other_end=other_end, members=members):
                cursor.execute(_STATEMENTS[name], values)
                done[name] = cursor.rowcount
            added, updated = done["insert"], done["update"]
            removed = done["delete"] + done["delete others"]
    unchanged = members - (removed if wanted.mode == REMOVE else added + updated)
    return {
        "members": members,
        "added": added,
        "updated": updated,
        "removed": removed,
        "unchanged": unchanged,
    }


_STATEMENTS = {
    "update": _UPDATE,
    "insert": _INSERT,
    "delete": _DELETE,
    "delete others": _DELETE_OTHERS,
}


def _needed(mode: str, *, inside: int, other_end: int, members: int) -> list[str]:
    """Return what is to be written; nothing is done that would find nothing."""
    if mode == REMOVE:
        return ["delete"] if inside else []
    needed = ["update"] if other_end else []
    if inside < members:
        needed.append("insert")
    if mode == REPLACE:
        needed.append("delete others")
    return needed
