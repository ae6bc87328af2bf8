"""Promotion Segment Mapping with a file: first the segment is loaded, then it is mapped.

The mapping is the job's last step. Until the whole file is in effect, the promotion is for whom it
was for; a file that cannot be put into effect maps nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from loyalty.models import Job
from loyalty.scopes import Scope
from loyalty.services import jobs
from loyalty.services.use_case import use_case
from members.services import segment_import
from members.services.segment_import import Prepared
from promotions.services.writing import authoring

KIND = "promotions.tasks.map_segment_file"


@dataclass(frozen=True, slots=True)
class Mapping:
    """Segments whose members get a promotion, and segments whose members do not."""

    promotion: str
    include: list[str]
    exclude: list[str]
    by: str


def start_mapping(
    mapping: Mapping, segment: str, prepared: Prepared, *, at: datetime, partner_id: int | None
) -> Job:
    """Start the job that loads a segment's file and then maps it; a step.

    :raises NotFound: if there is no such promotion.
    :raises ValidationFailed: if the mapping is none.
    :raises SegmentNotFound, SegmentIsDynamic: if the segment takes no file.
    """
    assert connection.in_atomic_block
    check_mapping(mapping)
    return segment_import.start_import(
        segment,
        prepared,
        at=at,
        partner_id=partner_id,
        kind=KIND,
        scope=Scope.PROMOTIONS_WRITE,
        more={
            "promotion": mapping.promotion,
            "include": mapping.include,
            "exclude": mapping.exclude,
            "by": mapping.by,
        },
    )


def check_mapping(mapping: Mapping) -> None:
    """Refuse a mapping that could not be written now; a step, nothing is.

    :raises NotFound, ValidationFailed: as `authoring.map_segments`.
    """
    content = authoring.mapped(mapping.promotion, mapping.include, mapping.exclude)
    authoring.read_definition(content)


def run_mapping(job: jobs.Running, *, clock: Callable[[], datetime]) -> None:
    """Load the file from where the job stands, then write the promotion's new version.

    The version takes over when the file is in effect. Done again, it makes no second one.

    :raises TestsFail: if the promotion is LIVE and a rule test fails with these segments.
    """
    segment_import.run_import(job)
    written = _map(job, at=clock())
    job.job.result["version"] = written.version.number
    job.job.result["approval"] = written.approval.state if written.approval else None


@use_case
def _map(job: jobs.Running, *, at: datetime) -> authoring.Written:
    given = job.job.parameters
    return authoring.map_segments(
        given["promotion"],
        include=given["include"],
        exclude=given["exclude"],
        at=at,
        by=given["by"],
    )
