"""Segment files: starting an import, and running it as a job that may be killed at any point.

First the file is read block by block (`segment_staging`), while nothing of the segment changes.
Then one transaction makes the difference to the segment (`segment_switch`).
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from django.conf import settings

from loyalty.errors import FieldError, FileMissing, ValidationFailed
from loyalty.models import Job, Upload
from loyalty.scopes import Scope
from loyalty.services import jobs, uploads
from members import key_files
from members.import_errors import FileChanged
from members.key_forms import HEAD_BYTES, Form, NotAKeyFile, inspect
from members.services import segment_staging as staging
from members.services import segment_switch
from members.services.segment_keys import kind_of
from members.services.segments import static_segment

KIND = "members.tasks.import_segment_file"
BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to become of a file. `until` ends the memberships of those whom it puts in."""

    mode: str
    key: str = "number"
    provider: str | None = None
    encoding: str | None = None
    header: bool | None = None
    column: str | int | None = None
    until: datetime | None = None
    dry_run: bool = False
    allow_empty: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that was looked into and can be imported."""

    wanted: Wanted
    form: Form
    size: int
    source: dict[str, Any]
    name: str


def prepare(wanted: Wanted, *, upload: Upload | None = None, path: str | None = None) -> Prepared:
    """Look into an uploaded file, or one under the import folder, before a job is started for it.

    Reads 64 KiB, and is therefore called outside of a transaction.

    :raises ValidationFailed: if the file cannot be read as keys, or the path leads elsewhere.
    :raises FileMissing: if there is no such file.
    """
    kind = kind_of(wanted.key, wanted.provider)
    if upload is not None:
        found, pointer, name = uploads.path_of(upload.pk), "/file", upload.name
        source: dict[str, Any] = {"upload": str(upload.pk)}
    else:
        assert path is not None
        found, pointer, name = uploads.under_import_folder(path), "/path", path
        source = {"path": path}
    with _open(found) as file:
        head = file.read(HEAD_BYTES)
        size = os.fstat(file.fileno()).st_size
        source["stamp"] = _stamp(file)
    if size > uploads.BYTES_MAX:
        message = f"A file has up to {uploads.BYTES_MAX:,} bytes."
        raise ValidationFailed([FieldError(pointer, "TOO_LONG", message)])
    try:
        form = inspect(
            head, kind.keys, encoding=wanted.encoding, header=wanted.header, column=wanted.column
        )
    except NotAKeyFile as error:
        pointer = "/column" if error.code == "NO_SUCH_COLUMN" else pointer
        raise ValidationFailed([FieldError(pointer, error.code, error.message)]) from None
    return Prepared(wanted, form, size, source, name)


def start_import(
    code: str,
    prepared: Prepared,
    *,
    at: datetime,
    partner_id: int | None = None,
    kind: str = KIND,
    scope: str = Scope.SEGMENTS_WRITE,
    more: Mapping[str, Any] | None = None,
) -> Job:
    """Start the import of a prepared file into a static segment; a step.

    With a partner, it was asked for at the API, and is read with the scope. A job of another
    kind runs the import as one of its steps; `more` are parameters of its own.

    :raises SegmentNotFound: if there is no such segment.
    :raises SegmentIsDynamic: if a condition says who is in it.
    """
    segment = static_segment(code)
    wanted = asdict(prepared.wanted)
    wanted["until"] = prepared.wanted.until and prepared.wanted.until.isoformat()
    return jobs.start(
        kind,
        at=at,
        total=prepared.size,
        dry_run=prepared.wanted.dry_run,
        parameters={
            "segment": segment.pk,
            "code": code,
            "wanted": wanted,
            "mode": prepared.wanted.mode,
            "form": asdict(prepared.form),
            "name": prepared.name,
            **prepared.source,
            **(more or {}),
        },
        scope=scope if partner_id is not None else "",
        partner_id=partner_id,
    )


def run_import(job: jobs.Running, *, block_bytes: int = BLOCK_BYTES) -> None:
    """Run an import from where its job stands.

    :raises FileMissing, FileChanged: if the file is not the one that the job was started for.
    :raises SegmentFileEmpty, ImportSuperseded, SegmentIsDynamic: if it cannot be put into effect.
    """
    given = job.job.parameters
    wanted = Wanted(**{**given["wanted"], "until": _instant(given["wanted"]["until"])})
    if _phase(job) != segment_switch.SWITCHED:
        kind, form = kind_of(wanted.key, wanted.provider), Form(**given["form"])
        if _phase(job) is None or not staging.table_holds(job):
            staging.begin(job, form)
        with _in_utf8(given, form) as file:
            staging.read_all(
                job,
                file,
                form,
                kind,
                refuse_closed=wanted.mode != segment_switch.REMOVE,
                block_bytes=block_bytes,
            )
        segment_switch.switch(
            job,
            segment_switch.Switch(
                segment_id=given["segment"],
                code=given["code"],
                mode=wanted.mode,
                until=wanted.until,
                table=staging.table_of(job.job.pk),
                dry_run=wanted.dry_run,
                allow_empty=wanted.allow_empty,
            ),
        )
    staging.drop(staging.table_of(job.job.pk))


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def forget_tables(*, at: datetime) -> int:
    """Drop the tables of imports that were cancelled, or failed a week ago; return how many."""
    return staging.forget_tables(at=at)


def _phase(job: jobs.Running) -> str | None:
    return job.position["phase"] if job.position else None


@contextmanager
def _in_utf8(given: dict[str, Any], form: Form) -> Iterator[BinaryIO]:
    """Yield the job's file in UTF-8: itself, or a copy that is gone when the job lets go of it."""
    if "upload" in given:
        path = uploads.path_of(UUID(given["upload"]))
    else:
        path = uploads.under_import_folder(given["path"])
    with _open(path) as file:
        if _stamp(file) != given["stamp"]:
            raise FileChanged
        if form.encoding == "utf-8":
            yield file
            return
        folder = Path(settings.LAUREL_UPLOAD_FOLDER)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as copy:
            file.seek(form.mark)
            key_files.in_utf8(file, copy, form.encoding)
            yield copy


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except OSError:
        raise FileMissing from None
    with file:
        yield file


def _stamp(file: BinaryIO) -> str:
    """Return what tells whether a file is still the same: its size and when it was written."""
    state = os.fstat(file.fileno())
    return f"{state.st_size}:{state.st_mtime_ns}"
