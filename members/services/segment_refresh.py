"""Dynamic segments: finding anew, by the condition, who is in them.

A job walks the members by key. Each chunk compares who fits with who is in, and writes the
difference in one transaction: running a chunk again finds nothing to write.
"""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from loyalty.errors import ExpressionInvalid
from loyalty.expressions import BadExpression, Expression
from loyalty.models import Job, Program
from loyalty.scopes import Scope
from loyalty.services import jobs
from members import segment_facts
from members.errors import SegmentIsStatic, SegmentNotFound
from members.models import Segment
from members.queries.segments import facts_after
from members.services.segment_rows import count_again, drop_ended

KIND = "members.tasks.refresh_segment"
CHUNK = 5_000


def check_condition(condition: str, pointer: str = "/condition") -> None:
    """Pass a condition that may be asked of members.

    :raises ExpressionInvalid: at the character where it is wrong.
    """
    schema = Program.objects.values_list("member_schema", flat=True).get(pk=1)
    try:
        segment_facts.compiled(condition, schema)
    except BadExpression as error:
        raise ExpressionInvalid(pointer, error.message, error.position) from None


def start_refresh(code: str, *, at: datetime, partner_id: int | None = None) -> Job:
    """Start finding a dynamic segment's members anew; a step. A job that waits is returned.

    With a partner, it was asked for at the API, and is read with the scope that starts it.

    :raises SegmentNotFound, SegmentIsStatic: if there is no such dynamic segment.
    """
    segment = Segment.objects.filter(code=code).first()
    if segment is None:
        raise SegmentNotFound
    if segment.kind != Segment.Kind.DYNAMIC:
        raise SegmentIsStatic(segment=code)
    parameters = {"segment": segment.pk, "code": code, "version": segment.version}
    waiting = Job.objects.filter(
        kind=KIND, status=Job.Status.PENDING, parameters=parameters, partner_id=partner_id
    ).first()
    return waiting or jobs.start(
        KIND,
        at=at,
        parameters=parameters,
        scope=Scope.SEGMENTS_WRITE if partner_id is not None else "",
        partner_id=partner_id,
    )


def start_night(*, at: datetime) -> None:
    """Start finding the members of every active dynamic segment anew, and drop what has ended."""
    with transaction.atomic(durable=True):
        active = Segment.objects.filter(kind=Segment.Kind.DYNAMIC, active=True).order_by("code")
        for code in active.values_list("code", flat=True):
            start_refresh(code, at=at)
    more = True
    while more:
        with transaction.atomic(durable=True):
            more = bool(drop_ended(at=at))
    for segment in Segment.objects.filter(kind=Segment.Kind.STATIC).values_list("pk", flat=True):
        with transaction.atomic(durable=True):
            count_again(segment, at=None)


Judge = Callable[[segment_facts.Facts], bool]


def refresh(job: jobs.Running, *, chunk: int = CHUNK) -> None:
    """Find anew who is in the job's segment, from where the job stands.

    If the segment was changed since the job was started, another job does it: this one stops.
    """
    segment = Segment.objects.get(pk=job.job.parameters["segment"])
    schema, zone = Program.objects.values_list("member_schema", "time_zone").get(pk=1)
    condition = segment_facts.compiled(segment.condition, schema)
    fits = _judge(condition, schema, job.at, ZoneInfo(zone))
    asks_consents = "member.consents" in condition.asks
    more = True
    while more:
        rows = facts_after(job.position or 0, chunk, consents=asks_consents)
        inside = [row.id for row in rows if fits(row)]
        with transaction.atomic(durable=True):
            if not _stands(segment.pk, job.job.parameters["version"]):
                job.job.result["superseded"] = True
                return
            more = len(rows) == chunk
            last = rows[-1].id if more else None
            added, removed = _write(segment.pk, inside, job.position or 0, last, job.at)
            job.add(added=added, removed=removed, unchanged=len(inside) - added)
            if not more:
                count_again(segment.pk, at=job.at)
            job.advance(position=last or job.position, done=len(rows))


def _judge(condition: Expression, schema: dict[str, object], at: datetime, zone: ZoneInfo) -> Judge:
    def fits(row: segment_facts.Facts) -> bool:
        facts = segment_facts.facts_of(row, schema=schema, at=at, zone=zone)
        return condition.evaluate(facts).met

    return fits


def _stands(segment_id: int, version: int) -> bool:
    """Return whether the segment is what it was; it stays so until the transaction ends."""
    return (
        Segment.objects.select_for_update(no_key=True)
        .filter(pk=segment_id, version=version)
        .exists()
    )


_PUT = """
INSERT INTO members_segmentmember (segment_id, member_id, since)
SELECT %s, id, %s FROM unnest(%s::bigint[]) AS id ORDER BY id
ON CONFLICT DO NOTHING
"""
# Within the keys of the chunk, so that it reads a range of the index; the last one has no end.
_TAKE = """
DELETE FROM members_segmentmember m
WHERE m.segment_id = %(segment)s AND m.member_id > %(after)s
  AND (%(last)s::bigint IS NULL OR m.member_id <= %(last)s)
  AND NOT EXISTS (SELECT 1 FROM unnest(%(inside)s::bigint[]) AS id WHERE id = m.member_id)
"""


def _write(
    segment_id: int, inside: list[int], after: int, last: int | None, at: datetime
) -> tuple[int, int]:
    """Write a chunk's difference; return how many came in and how many went."""
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE, {"segment": segment_id, "after": after, "last": last, "inside": inside}
        )
        removed = cursor.rowcount
        cursor.execute(_PUT, [segment_id, at, inside])
        return cursor.rowcount, removed
