"""The first part of a segment's import: the file is read, and whom it names is gathered.

Each block of the file is one transaction: its keys are copied in and looked up together, the
members found go into a table of the job, what came to nothing becomes the job's errors, and the
job's position moves on.
"""

import os
from dataclasses import asdict
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from loyalty.models import Job
from loyalty.services import job_errors, jobs, uploads
from loyalty.services.job_errors import Rejected
from members import key_files
from members.key_files import Block, Place
from members.key_forms import Form
from members.services.segment_keys import KeyKind

READ = "READ"


def table_of(job_id: UUID) -> str:
    """Return the name of the table in which a job gathers the members that its file names."""
    return f"members_import_{job_id.hex}"


def begin(job: jobs.Running, form: Form) -> None:
    """Begin at the start of the file, with an empty table. It is unlogged: a crash empties it."""
    table = table_of(job.job.pk)
    job.job.result, job.job.done, job.job.position = {}, 0, None
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {table}")
        cursor.execute(f"CREATE UNLOGGED TABLE {table} (member_id bigint NOT NULL)")
        job.add(lines=0, unknown=0, rejected=0)
        job.advance(position=_position(Place(form.start), found=0), done=form.start)


def table_holds(job: jobs.Running) -> bool:
    """Return whether the table holds what the position says: after a crash of the database not."""
    table = table_of(job.job.pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
        if not cursor.fetchone()[0]:
            return False
        with transaction.atomic():
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(f"SELECT count(*) FROM {table}")
            return bool(cursor.fetchone()[0] == job.position["found"])


def drop(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {table}")


def forget_tables(*, at: datetime) -> int:
    """Drop the tables of imports that were cancelled, or failed a week ago; return how many."""
    failed = Q(status=Job.Status.FAILED, created_at__gt=at - uploads.KEPT)
    # Imports are jobs of their own, or steps of others: by their parameters, whatever the kind.
    imports = Job.objects.filter(parameters__has_keys=["segment", "form"])
    kept = imports.filter(failed | Q(status__in=jobs.UNFINISHED))
    needed = {table_of(key) for key in kept.values_list("pk", flat=True)}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relpersistence = 'u'"
            " AND relname ~ '^members_import_[0-9a-f]{32}$'"
            " AND pg_table_is_visible(oid)"
        )
        left = [name for (name,) in cursor.fetchall() if name not in needed]
    for name in left:
        drop(name)
    return len(left)


def _position(place: Place, *, found: int) -> dict[str, Any]:
    return {"phase": READ, **asdict(place), "found": found}


def read_all(
    job: jobs.Running,
    file: BinaryIO,
    form: Form,
    kind: KeyKind,
    *,
    refuse_closed: bool,
    block_bytes: int,
) -> None:
    """Read a file in UTF-8 from where the job stands to its end."""
    total = file.seek(0, os.SEEK_END)
    last = False
    while not last:
        at = job.position
        place = Place(at["offset"], at["line"], at["skipping"])
        block = key_files.read(file, form, kind.keys, place, block_bytes)
        _take(job, block, kind, refuse_closed=refuse_closed, total=total)
        last = block.last


# Looks up a block's keys at once, puts the members into the job's table, a merged one's survivor
# in its place, and answers how many there were, and the lines that came to nothing.
_RESOLVE = """
WITH joined AS MATERIALIZED (
    SELECT i.line, i.key, m.id, m.stage = 'MERGED' AS merged,
           m.stage = 'CLOSED' AND %(refuse_closed)s AS closed
    FROM incoming i {join}
), kept AS (
    INSERT INTO {table} (member_id)
    SELECT CASE WHEN merged THEN members_survivor(id) ELSE id END
    FROM joined WHERE id IS NOT NULL AND NOT closed
), lost AS (
    SELECT line, key, id IS NOT NULL AS closed FROM joined WHERE id IS NULL OR closed
    ORDER BY line LIMIT %(room)s
)
SELECT count(*) FILTER (WHERE NOT closed), count(*) FILTER (WHERE id IS NULL),
       count(*) FILTER (WHERE closed),
       (SELECT json_agg(json_build_array(line, key, closed)) FROM lost)
FROM joined
"""


def _take(
    job: jobs.Running, block: Block, kind: KeyKind, *, refuse_closed: bool, total: int
) -> None:
    """Write one block, and that the job has come past it, in one transaction."""
    at = job.position
    with transaction.atomic(durable=True):
        known = unknown = closed = 0
        lost: list[Rejected] = []
        if block.rows:
            known, unknown, closed, lines = _resolve(job, block.rows, kind, refuse_closed)
            lost = [_lost(*line) for line in lines or ()]
        rejected = [Rejected(*each) for each in block.failed]
        job.reject(sorted([*rejected, *lost]))
        job.add(
            lines=len(block.rows) + len(block.failed),
            unknown=unknown,
            rejected=len(block.failed) + closed,
        )
        job.advance(
            position=_position(block.then, found=at["found"] + known),
            done=block.then.offset - at["offset"],
            total=total,
        )


def _resolve(job: jobs.Running, rows: list[bytes], kind: KeyKind, refuse_closed: bool) -> Any:
    statement = _RESOLVE.format(join=kind.join, table=table_of(job.job.pk))
    values = {
        "provider": kind.provider_id,
        "refuse_closed": refuse_closed,
        "room": job_errors.room(job.job.pk),
    }
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("CREATE TEMPORARY TABLE incoming (line bigint, key text) ON COMMIT DROP")
        with cursor.copy("COPY incoming FROM STDIN") as copy:
            copy.write(b"\n".join(rows) + b"\n")
        cursor.execute("ANALYZE incoming")
        cursor.execute(statement, values)
        return cursor.fetchone()


def _lost(line: int, key: str, closed: bool) -> Rejected:
    if closed:
        return Rejected(line, key, "MEMBER_CLOSED", "The membership is over.")
    return Rejected(line, key, "UNKNOWN_MEMBER", "No member is named so.")
