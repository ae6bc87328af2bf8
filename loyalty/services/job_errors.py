"""What of a job's input came to nothing: kept line by line, up to a bound, and told as CSV."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Q

from loyalty.models import JobError
from loyalty.spreadsheet import as_csv

KEPT_AT_MOST = 100_000  # Of one job. A file that is wrong throughout says no more with more.
READ_AT_ONCE = 5_000
FORGOTTEN_AFTER = timedelta(days=90)
_COLUMNS = ("line", "value", "code", "reason")
_LENGTH_MAX = 200

# One statement for thousands of lines; what an earlier run of the chunk kept is left alone.
_KEEP = """
INSERT INTO loyalty_joberror (job_id, line, value, code, reason)
SELECT %s, * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[])
ON CONFLICT DO NOTHING
"""


class Rejected(NamedTuple):
    """A line of the input, counted from 1, with what stood there, a code and a sentence."""

    line: int
    value: str
    code: str
    reason: str = ""


def room(job_id: UUID) -> int:
    """Return how many more rejected lines of a job are kept."""
    return max(KEPT_AT_MOST - JobError.objects.filter(job=job_id).count(), 0)


def keep(job_id: UUID, lines: Sequence[Rejected]) -> None:
    """Keep rejected lines, those of a line and code once, as long as there is room.

    Values and reasons are cut to 200 characters and keep no NUL.
    """
    if not lines:
        return
    kept = lines[: room(job_id)]
    if not kept:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _KEEP,
            [
                job_id,
                [each.line for each in kept],
                [_storable(each.value) for each in kept],
                [each.code for each in kept],
                [_storable(each.reason) for each in kept],
            ],
        )


def _storable(text: str) -> str:
    """Return text as PostgreSQL can store it: a reason may name a field that the sender made up."""
    return text[:_LENGTH_MAX].replace("\0", "�")


def as_csv_of(job_id: UUID) -> Iterator[bytes]:
    """Yield the rejected lines of a job as CSV, in their order, a few thousand at a time."""
    return as_csv(_COLUMNS, _rows(job_id))


def _rows(job_id: UUID) -> Iterator[tuple[int, str, str, str]]:
    kept = JobError.objects.filter(job=job_id).order_by("line", "code").values_list(*_COLUMNS)
    page = list(kept[:READ_AT_ONCE])
    while page:
        yield from page
        line, _, code, _ = page[-1]
        later = kept.filter(Q(line__gt=line) | Q(line=line, code__gt=code), line__gte=line)
        page = list(later[:READ_AT_ONCE])


def forget_old(*, at: datetime) -> int:
    """Delete the rejected lines of jobs that were over 90 days ago; they may name persons."""
    return JobError.objects.filter(job__finished_at__lt=at - FORGOTTEN_AFTER).delete()[0]
