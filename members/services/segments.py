"""Segments, and members put into them and taken out by hand.

Calls on one segment take turns. The segment's row is written last, as an import does it, which
holds up nobody while it writes: only a call that names a member it has just put in waits for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F

from loyalty.caller import Actor
from loyalty.errors import FieldError, ValidationFailed, VersionConflict
from loyalty.models import Job
from loyalty.services.use_case import use_case
from members.errors import SegmentIsDynamic, SegmentKindFixed, SegmentNotFound
from members.models import Member, Segment
from members.queries.references import Named, resolve_many
from members.services import activity, segment_refresh


@dataclass(frozen=True, slots=True)
class Content:
    """What a segment is, as somebody writes it. `condition` is empty for a static one."""

    name: str
    kind: str = Segment.Kind.STATIC
    condition: str = ""
    active: bool = True


@dataclass(frozen=True, slots=True)
class Saved:
    """A segment as it stands, whether it is new, and the job that finds its members anew."""

    segment: Segment
    created: bool
    job: Job | None = None


@use_case
def put_segment(
    code: str,
    content: Content,
    *,
    version: int | None = None,
    at: datetime,
    partner_id: int | None = None,
) -> Saved:
    """Make a segment, or change what it is; see `save_segment`."""
    return save_segment(code, content, version=version, at=at, partner_id=partner_id)


def save_segment(
    code: str,
    content: Content,
    *,
    version: int | None = None,
    at: datetime,
    partner_id: int | None = None,
) -> Saved:
    """Make a segment, or change what it is; a step. The same content again changes nothing.

    Another condition starts a job that finds who fits it. `version` is what the caller read.

    :raises ExpressionInvalid: if the condition cannot be asked of members.
    :raises ValidationFailed: if a static segment has a condition, or a dynamic one has none.
    :raises VersionConflict: if the segment stands at another version.
    :raises SegmentKindFixed: if a static one is to become dynamic, or the other way.
    """
    assert connection.in_atomic_block
    _check_content(content)
    fields = {
        "name": content.name,
        "kind": content.kind,
        "condition": content.condition,
        "active": content.active,
    }
    segment, created = Segment.objects.select_for_update().get_or_create(
        code=code, defaults={**fields, "created_at": at}
    )
    before = {name: getattr(segment, name) for name in fields}
    if version is not None and (created or version != segment.version):
        raise VersionConflict(0 if created else segment.version)
    if not created:
        if content.kind != segment.kind:
            raise SegmentKindFixed(kind=segment.kind)
        if before == fields:
            return Saved(segment, created=False)
        for name, value in fields.items():
            setattr(segment, name, value)
        segment.version += 1
        segment.save(update_fields=[*fields, "version"])
    job = None
    only_renamed = not created and before == {**fields, "name": before["name"]}
    if content.condition and content.active and not only_renamed:
        job = segment_refresh.start_refresh(code, at=at, partner_id=partner_id)
    return Saved(segment, created, job)


def _check_content(content: Content) -> None:
    if content.kind == Segment.Kind.STATIC and content.condition:
        message = "A static segment has no condition."
        raise ValidationFailed([FieldError("/condition", "NOT_HERE", message)])
    if content.kind == Segment.Kind.DYNAMIC:
        if not content.condition.strip():
            message = "A dynamic segment has a condition."
            raise ValidationFailed([FieldError("/condition", "MISSING_FIELD", message)])
        segment_refresh.check_condition(content.condition)


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one reference: ADDED, UPDATED (another end), ALREADY_IN, REMOVED,
    ALREADY_OUT, or UNKNOWN_MEMBER and STAGE_FORBIDS, which changed nothing."""

    index: int
    action: str
    member: str | None
    outcome: str


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change of members did, reference by reference."""

    segment: Segment
    items: tuple[Item, ...]

    def count(self, *outcomes: str) -> int:
        """Return how many references had one of these outcomes."""
        return sum(item.outcome in outcomes for item in self.items)


# Puts members in, or gives those who are in another end. One whose membership had ended comes in
# anew. Who is in with this end already is not touched, and not answered.
_PUT = """
WITH before AS (
    SELECT member_id FROM members_segmentmember
    WHERE segment_id = %(segment)s AND member_id = ANY (%(members)s) AND until <= %(at)s)
INSERT INTO members_segmentmember AS m (segment_id, member_id, since, until)
SELECT %(segment)s, id, %(at)s, %(until)s FROM unnest(%(members)s) AS id ORDER BY id
ON CONFLICT (segment_id, member_id) DO UPDATE
SET since = CASE WHEN m.until <= %(at)s THEN EXCLUDED.since ELSE m.since END,
    until = EXCLUDED.until
WHERE m.until IS DISTINCT FROM EXCLUDED.until
RETURNING member_id, xmax = 0, member_id IN (SELECT member_id FROM before)
"""
_TAKE = """
DELETE FROM members_segmentmember
WHERE segment_id = %(segment)s AND member_id = ANY (%(members)s)
RETURNING member_id, until IS NULL OR until > %(at)s
"""


def change_members(
    code: str,
    *,
    add: Sequence[Mapping[str, Any]],
    remove: Sequence[Mapping[str, Any]],
    until: datetime | None,
    by: Actor,
    at: datetime,
) -> Changed:
    """Put members into a static segment, until an instant or for good, and take others out; a step.

    References are looked up together; a merged member's survivor is meant. Being in or out
    already is success. Each member's history tells of it.

    :raises SegmentNotFound: if there is no such segment.
    :raises SegmentIsDynamic: if a condition says who is in it.
    :raises ValidationFailed: if the same member is to be put in and taken out.
    """
    assert connection.in_atomic_block
    segment = static_segment(code)
    found = resolve_many([*add, *remove])
    adding, removing = found[: len(add)], found[len(add) :]
    _refuse_both(adding, removing)
    put_in = {each.id for each in adding if each and each.stage != Member.Stage.CLOSED}
    taken_out = {each.id for each in removing if each}
    _take_turn(segment.pk)
    told, growth = _write(segment, sorted(put_in), sorted(taken_out), until, at)
    if growth:
        Segment.objects.filter(pk=segment.pk).update(size=F("size") + growth)
    _tell(segment, told, by, at)
    items = (
        *_items("add", adding, told, "ALREADY_IN"),
        *_items("remove", removing, told, "ALREADY_OUT"),
    )
    return Changed(segment, items)


def static_segment(code: str) -> Segment:
    """Return a segment whose members are set by hand.

    :raises SegmentNotFound: if there is none of this code.
    :raises SegmentIsDynamic: if a condition says who is in it.
    """
    segment = Segment.objects.filter(code=code).first()
    if segment is None:
        raise SegmentNotFound
    if segment.kind == Segment.Kind.DYNAMIC:
        raise SegmentIsDynamic(segment=code)
    return segment


def _refuse_both(adding: Sequence[Named | None], removing: Sequence[Named | None]) -> None:
    added = {each.id for each in adding if each}
    for place, each in enumerate(removing):
        if each and each.id in added:
            message = "This member is to be added, too."
            raise ValidationFailed([FieldError(f"/remove/{place}", "ALSO_ADDED", message)])


def _take_turn(segment_id: int) -> None:
    """Wait until no other call is at this segment: two never wait for each other."""
    with connection.cursor() as cursor:
        name = f"members_segment_calls:{segment_id}"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def _write(
    segment: Segment, put_in: list[int], taken_out: list[int], until: datetime | None, at: datetime
) -> tuple[dict[int, str], int]:
    """Return what became of each member that was changed, and by how many rows it grew."""
    told: dict[int, str] = {}
    growth = 0
    values = {"segment": segment.pk, "until": until, "at": at}
    with connection.cursor() as cursor:
        if put_in:
            cursor.execute(_PUT, {**values, "members": put_in})
            for member, new, again in cursor.fetchall():
                told[member] = "ADDED" if new or again else "UPDATED"
                growth += new
        if taken_out:
            cursor.execute(_TAKE, {**values, "members": taken_out})
            for member, counted in cursor.fetchall():
                growth -= 1
                if counted:
                    told[member] = "REMOVED"
    return told, growth


def _tell(segment: Segment, told: Mapping[int, str], by: Actor, at: datetime) -> None:
    for outcome, kind in (("ADDED", "SEGMENT_ENTERED"), ("REMOVED", "SEGMENT_LEFT")):
        lines = [(member, {"segment": segment.code}) for member in told if told[member] == outcome]
        if lines:
            activity.record_many(lines, kind, by=by, at=at)


def _items(
    action: str, found: Sequence[Named | None], told: Mapping[int, str], otherwise: str
) -> list[Item]:
    items, seen = [], set()
    for index, each in enumerate(found):
        if each is None:
            items.append(Item(index, action, None, "UNKNOWN_MEMBER"))
            continue
        outcome = told.get(each.id, otherwise) if each.id not in seen else otherwise
        if action == "add" and each.stage == Member.Stage.CLOSED:
            outcome = "STAGE_FORBIDS"
        seen.add(each.id)
        items.append(Item(index, action, each.number, outcome))
    return items
