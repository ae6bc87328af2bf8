"""Promotion Segment Mapping: the body, and the part that brings a file."""

from typing import Annotated, Any

import msgspec
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import HttpResponse
from msgspec import Meta

from loyalty.api.fields import Body, Code
from loyalty.api.jobs import JobAnswer, job_answer
from loyalty.api.views import ProgramViewSet
from loyalty.errors import FieldError, ValidationFailed
from loyalty.models import Upload
from loyalty.services import uploads
from members.services.segment_import import Prepared, prepare
from members.services.segments import static_segment
from members.shapes.segment_files import FileBody, check_file, wanted_of
from promotions.services.writing.segment_mapping import Mapping, check_mapping, start_mapping

Codes = Annotated[list[Code], Meta(max_length=200)]


class MappingFileBody(FileBody, kw_only=True):
    """The static segment that a file is loaded into before it is mapped."""

    segment: Code


class MappingBody(Body, kw_only=True):
    """Segments whose members get the promotion, and segments whose members do not.

    A `file` loads a segment first: one of the two lists names it, or it is included.
    """

    include: Codes = []
    exclude: Codes = []
    file: MappingFileBody | None = None


class _Sent(msgspec.Struct):
    """What a key of idempotency stands for: the call and what its file holds."""

    mapping: MappingBody
    sha256: str


def load_and_map(
    view: ProgramViewSet, code: str, body: MappingBody, file: "UploadedFile[Any] | None"
) -> HttpResponse:
    """Start the job that loads a file into a segment and maps it then; answer the job."""
    if body.file is None:
        message = "Say in file which segment the file is for."
        raise ValidationFailed([FieldError("/file", "MISSING_FIELD", message)])
    wanted = body.file
    check_file(wanted, file, view.now(), below="/file")
    static_segment(wanted.segment)  # Before a gibibyte is kept for nothing.
    mapping = _mapping(code, body, wanted.segment, by=view.caller.client_id)
    with transaction.atomic():
        check_mapping(mapping)
    sha256 = uploads.sha256(file) if file and "Idempotency-Key" in view.request.headers else ""
    upload = uploads.keep(file, at=view.now()) if file else None
    where: dict[str, str] = {}

    def start() -> JobAnswer:
        job = start_mapping(
            mapping, wanted.segment, prepared, at=view.now(), partner_id=view.caller.partner_id
        )
        where["Location"] = f"/api/v1/jobs/{job.pk}/"
        return job_answer(job)

    try:
        prepared = _prepare(wanted, upload)
        return view.change(_Sent(body, sha256), start, status=202, headers=lambda: where)
    finally:
        if upload is not None and not where:  # Refused, or answered before.
            uploads.discard(upload)


def _mapping(code: str, body: MappingBody, segment: str, *, by: str) -> Mapping:
    named = segment in body.include or segment in body.exclude
    return Mapping(code, body.include if named else [*body.include, segment], body.exclude, by)


def _prepare(wanted: MappingFileBody, upload: Upload | None) -> Prepared:
    """Look into the file; what is wrong is pointed at in the part `file`."""
    try:
        return prepare(wanted_of(wanted), upload=upload, path=wanted.path)
    except ValidationFailed as error:
        below = [
            each
            if each.pointer == "/file"
            else FieldError(f"/file{each.pointer}", each.code, each.message)
            for each in error.errors
        ]
        raise ValidationFailed(below) from None
