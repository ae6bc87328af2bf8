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


# The file's members, each once.
_LISTED = """
CREATE TEMPORARY TABLE listed ON COMMIT DROP AS
SELECT member_id FROM {table} GROUP BY member_id
"""
# The file and the segment side by side, compared once; who stays as before is left out.
_DIFFERENCE = """
CREATE TEMPORARY TABLE difference ON COMMIT DROP AS
SELECT * FROM (
    SELECT member_id,
           CASE WHEN %(mode)s = 'REMOVE' OR l.member_id IS NULL THEN 'GOES'
                WHEN m.since IS NULL THEN 'COMES'
                WHEN m.until IS DISTINCT FROM %(until)s THEN 'CHANGES' END AS step
    FROM listed l {join} (
        SELECT member_id, since, until FROM members_segmentmember
        WHERE segment_id = %(segment)s AND (until IS NULL OR until > %(at)s)
    ) m USING (member_id)
) sides
WHERE step IS NOT NULL
"""
_JOINS = {ADD: "LEFT JOIN", REMOVE: "JOIN", REPLACE: "FULL JOIN"}
# Whose membership has ended is out: the row would be in the way.
_DROP_ENDED = "DELETE FROM members_segmentmember WHERE segment_id = %(segment)s AND until <= %(at)s"
_STEPS = {
    "GOES": """
DELETE FROM members_segmentmember m USING difference d
WHERE m.segment_id = %(segment)s AND m.member_id = d.member_id AND d.step = 'GOES'
""",
    "CHANGES": """
UPDATE members_segmentmember m SET until = %(until)s FROM difference d
WHERE m.segment_id = %(segment)s AND m.member_id = d.member_id AND d.step = 'CHANGES'
""",
    # In the order of the index; who was put in by a call meanwhile is in.
    "COMES": """
INSERT INTO members_segmentmember (segment_id, member_id, since, until)
SELECT %(segment)s, member_id, %(at)s, %(until)s FROM difference
WHERE step = 'COMES' ORDER BY member_id
ON CONFLICT DO NOTHING
""",
}


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
    values: dict[str, Any] = {
        "segment": wanted.segment_id,
        "mode": wanted.mode,
        "until": wanted.until,
        "at": at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LISTED.format(table=wanted.table))
        members: int = cursor.rowcount
        if not members and wanted.mode == REPLACE and not wanted.allow_empty:
            raise SegmentFileEmpty
        cursor.execute("ANALYZE listed")
        cursor.execute(_DIFFERENCE.format(join=_JOINS[wanted.mode]), values)
        cursor.execute("SELECT step, count(*) FROM difference GROUP BY step")
        steps: dict[str, int] = dict(cursor.fetchall())
        if not wanted.dry_run:
            cursor.execute("ANALYZE difference")
            cursor.execute(_DROP_ENDED, values)
            for step, statement in _STEPS.items():
                if step in steps:
                    cursor.execute(statement, values)
    added, updated, removed = (steps.get(step, 0) for step in ("COMES", "CHANGES", "GOES"))
    return {
        "members": members,
        "added": added,
        "updated": updated,
        "removed": removed,
        "unchanged": members - (removed if wanted.mode == REMOVE else added + updated),
    }
