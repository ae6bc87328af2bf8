"""Transaction files: purchases by the million, a line each, through the same engine as Earn.

A line is the JSON body of an Earn, so a till that was offline for long, or a programme that moves
in, sends what it would have sent one by one. A reference makes a line safe to repeat: a file may
be sent twice, and a job be killed anywhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from django.db import transaction

from ledger.kernel.book import Kind
from ledger.queries import references
from loyalty.api.bodies import BODY_BYTES_MAX, parse
from loyalty.caller import Caller
from loyalty.errors import (
    FieldError,
    FileMissing,
    LoyaltyError,
    ReferenceConflict,
    ValidationFailed,
)
from loyalty.models import Job, Upload
from loyalty.scopes import Scope
from loyalty.services import jobs, uploads
from loyalty.services.job_errors import Rejected
from members.import_errors import FileChanged
from partners.models import Partner
from promotions.services import batch
from promotions.services.earning import EarnRequest, earn
from promotions.shapes.purchases import PurchaseBody, earn_request

KIND = "promotions.tasks.import_purchases"
CHUNK = 1_000  # Lines a commit: short locks, and a lost worker loses little.
CHUNK_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file, counted from 1. `request` is None where it cannot be read."""

    number: int
    request: EarnRequest | None
    refusal: LoyaltyError | None = None


def start_import(
    *,
    upload: Upload | None = None,
    path: str | None = None,
    below: str = "",
    partner_id: int,
    at: datetime,
    queued: bool = True,
) -> Job:
    """Start the import of an uploaded file, or of one under the import folder; a step.

    `below` is the folder there that the path must stay in. What the file holds is the partner's:
    purchases at its outlets, under its references. A job that is not `queued` is run by the caller.

    :raises ValidationFailed: if the path leads elsewhere, or the file is empty or too long.
    :raises FileMissing: if there is no such file.
    """
    if upload is not None:
        source, pointer = {"upload": str(upload.pk)}, "/file"
    else:
        source, pointer = {"path": path or "", "below": below}, "/path"
    size = _path_of(source).stat().st_size
    if not 0 < size <= uploads.BYTES_MAX:
        message = f"A file has 1 to {uploads.BYTES_MAX:,} bytes."
        raise ValidationFailed([FieldError(pointer, "OUT_OF_RANGE", message)])
    return jobs.start(
        KIND,
        at=at,
        total=size,
        parameters={"partner": partner_id, "size": size, **source},
        scope=Scope.POINTS_EARN,
        partner_id=partner_id,
        queued=queued,
    )


def run_import(
    job: jobs.Running, *, on_progress: Callable[[int], None] = lambda done: None
) -> None:
    """Post the purchases of a job's file from where the job stands, chunk by chunk.

    The result counts `posted`, `known` (posted before, under the same reference) and `rejected`,
    which the job's errors name line by line. `on_progress` takes the bytes that are done.

    :raises FileMissing, FileChanged: if the file is gone, or is shorter than it was.
    """
    given = job.job.parameters
    partner = Partner.objects.get(pk=given["partner"])
    caller = Caller(
        client_id="",
        partner_id=partner.pk,
        partner_code=partner.code,
        house=partner.is_house,
        scopes=frozenset({Scope.POINTS_EARN}),
        rate_limit_per_minute=0,
    )
    try:
        file = _path_of(given).open("rb")
    except OSError:
        raise FileMissing from None
    with file:
        place = job.position or {"offset": 0, "line": 0}
        file.seek(place["offset"])
        while place["offset"] < given["size"]:
            lines, number = _read(file, place["line"], caller, request_id=f"job-{job.job.pk}")
            _post(job, lines)
            done = file.tell() - place["offset"]
            if not done:
                raise FileChanged
            place = {"offset": file.tell(), "line": number}
            job.advance(position=place, done=done)
            on_progress(place["offset"])


def _path_of(source: dict[str, Any]) -> Path:
    if "upload" in source:
        path = uploads.path_of(UUID(source["upload"]))
        if not path.is_file():
            raise FileMissing
        return path
    return uploads.under_import_folder(source["path"], below=source.get("below", ""))


def _read(
    file: BinaryIO, number: int, caller: Caller, *, request_id: str
) -> tuple[list[Line], int]:
    """Return the lines after this one, without blank ones, and the number of the last."""
    lines: list[Line] = []
    end = file.tell() + CHUNK_BYTES
    while len(lines) < CHUNK and file.tell() < end:
        raw = file.readline(BODY_BYTES_MAX + 1)
        if not raw:
            break
        number += 1
        if len(raw) > BODY_BYTES_MAX:
            _skip_line(file, raw)
            message = f"A line has up to {BODY_BYTES_MAX:,} bytes."
            refusal = ValidationFailed([FieldError("", "TOO_LONG", message)])
            lines.append(Line(number, None, refusal))
        elif raw.strip():
            lines.append(_line(number, raw, caller, request_id))
    return lines, number


def _skip_line(file: BinaryIO, raw: bytes) -> None:
    while raw and not raw.endswith(b"\n"):
        raw = file.readline(BODY_BYTES_MAX)


def _line(number: int, raw: bytes, caller: Caller, request_id: str) -> Line:
    try:
        return Line(number, earn_request(parse(raw, PurchaseBody), caller, request_id))
    except LoyaltyError as refusal:
        return Line(number, None, refusal)


def _post(job: jobs.Running, lines: Sequence[Line]) -> None:
    """Post a chunk: what was posted before is passed over, what fails in the unit runs alone."""
    earlier = _posted_before(lines)
    wanted: list[EarnRequest | None] = []
    rejected: list[Rejected] = []
    known = 0
    for line in lines:
        request, refusal = line.request, line.refusal
        if request is not None and request.reference in earlier:
            if earlier[request.reference] == request.digest:
                known += 1
            else:
                refusal = ReferenceConflict()
            request = None
        wanted.append(request)
        if refusal is not None:
            rejected.append(_rejected(line, refusal))
    outcomes = batch.post_together(wanted, at=job.at)
    posted = len(outcomes)
    for place, request in enumerate(wanted):
        if request is None or place in outcomes:
            continue
        try:
            alone = earn(request, at=job.at)
        except LoyaltyError as refusal:
            rejected.append(_rejected(lines[place], refusal))
            continue
        known += alone.earlier is not None
        posted += alone.earlier is None
    with transaction.atomic():
        job.reject(sorted(rejected))
    job.add(posted=posted, known=known, rejected=len(rejected))


def _posted_before(lines: Sequence[Line]) -> dict[str, bytes]:
    """Return the digests of what the chunk's references posted before, by reference."""
    requests = [line.request for line in lines if line.request is not None]
    if not requests:
        return {}
    found = references.posted(requests[0].partner_id, [each.reference for each in requests])
    return {ref: digest for (kind, ref), digest in found.items() if kind == Kind.EARN}


def _rejected(line: Line, refusal: LoyaltyError) -> Rejected:
    value = line.request.reference if line.request is not None else ""
    return Rejected(line.number, value, refusal.code, refusal.detail)
