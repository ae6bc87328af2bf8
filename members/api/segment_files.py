"""Import of a segment's file: sent as a form, or named by its path under the import folder."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from loyalty.api.fields import PLAIN, Body, Instant, check_instant
from loyalty.api.files import read_call
from loyalty.api.jobs import JobAnswer, job_answer
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.errors import FieldError, FileMissing, PayloadTooLarge, ValidationFailed
from loyalty.scopes import Scope
from loyalty.services import uploads
from members.errors import SegmentIsDynamic, SegmentNotFound
from members.services.segment_import import Wanted, prepare, start_import
from members.services.segments import static_segment

Text = Annotated[str, Meta(min_length=1, max_length=200, pattern=PLAIN)]


class SegmentFileBody(Body, kw_only=True):
    """What is to become of the file. `path` names one under the import folder."""

    mode: Literal["ADD", "REMOVE", "REPLACE"]
    key: Literal["number", "card", "alias"] = "number"
    provider: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,63}$")] | None = None
    path: Annotated[str, Meta(min_length=1, max_length=1000, pattern=PLAIN)] | None = None
    encoding: Literal["utf-8", "utf-16", "cp1252", "latin-1"] | None = None
    header: bool | None = None
    column: Text | Annotated[int, Meta(ge=1, le=1000)] | None = None
    until: Instant | None = None
    dry_run: bool = False
    allow_empty: bool = False


class _Sent(msgspec.Struct):
    """What a key of idempotency stands for: the call and what its file holds."""

    mapping: SegmentFileBody
    sha256: str


class SegmentFileViewSet(ProgramViewSet):
    """Files that put members into a static segment, take them out, or replace them all."""

    action_scopes = {"load": Scope.SEGMENTS_WRITE}

    @operation(
        "Import Segment File",
        body=SegmentFileBody,
        answer=JobAnswer,
        status=202,
        takes_file=True,
        errors=(SegmentNotFound, SegmentIsDynamic, FileMissing, PayloadTooLarge),
    )
    def load(self, request: Request, code: str) -> HttpResponse:
        body, file = read_call(request._request, SegmentFileBody)
        _check(body, file, self.now())
        static_segment(code)  # Before a gibibyte is kept for nothing.
        sha256 = uploads.sha256(file) if file and "Idempotency-Key" in request.headers else ""
        upload = uploads.keep(file, at=self.now()) if file else None
        where: dict[str, str] = {}

        def start() -> JobAnswer:
            job = start_import(code, prepared, at=self.now(), partner_id=self.caller.partner_id)
            where["Location"] = f"/api/v1/jobs/{job.pk}/"
            return job_answer(job)

        try:
            prepared = prepare(_wanted(body), upload=upload, path=body.path)
            sent = _Sent(body, sha256)
            return self.change(sent, start, status=202, headers=lambda: where)
        finally:
            if upload is not None and not where:  # Refused, or answered before.
                uploads.discard(upload)


def _wanted(body: SegmentFileBody) -> Wanted:
    return Wanted(
        mode=body.mode,
        key=body.key,
        provider=body.provider,
        encoding=body.encoding,
        header=body.header,
        column=body.column,
        until=body.until,
        dry_run=body.dry_run,
        allow_empty=body.allow_empty,
    )


def _check(body: SegmentFileBody, file: "UploadedFile[Any] | None", now: datetime) -> None:
    """:raises ValidationFailed: unless there is one file, and an end that makes sense."""
    if (file is None) == (body.path is None):
        message = "Send a file, or name one by its path: one of the two."
        raise ValidationFailed([FieldError("/path", "EXACTLY_ONE", message)])
    check_instant(body.until, "/until")
    if body.until is not None and body.until <= now:
        raise ValidationFailed([FieldError("/until", "IN_PAST", "The end has passed already.")])
    if body.until is not None and body.mode == "REMOVE":
        raise ValidationFailed([FieldError("/until", "NOT_HERE", "Only who is added has an end.")])
