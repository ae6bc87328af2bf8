"""Import of a segment's file: sent as a form, or named by its path under the import folder."""

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from loyalty.api.files import read_call
from loyalty.api.jobs import JobAnswer, job_answer
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.errors import FileMissing, PayloadTooLarge
from loyalty.scopes import Scope
from loyalty.services import uploads
from members.errors import SegmentIsDynamic, SegmentNotFound
from members.services.segment_import import prepare, start_import
from members.services.segments import static_segment
from members.shapes.segment_files import FileBody, check_file, wanted_of


class SegmentFileBody(FileBody, kw_only=True):
    """What is to become of the file; a dry run counts what would, and changes nothing."""

    dry_run: bool = False


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
        check_file(body, file, self.now())
        static_segment(code)  # Before a gibibyte is kept for nothing.
        sha256 = uploads.sha256(file) if file and "Idempotency-Key" in request.headers else ""
        upload = uploads.keep(file, at=self.now()) if file else None
        where: dict[str, str] = {}

        def start() -> JobAnswer:
            job = start_import(code, prepared, at=self.now(), partner_id=self.caller.partner_id)
            where["Location"] = f"/api/v1/jobs/{job.pk}/"
            return job_answer(job)

        try:
            prepared = prepare(wanted_of(body, dry_run=body.dry_run), upload=upload, path=body.path)
            sent = _Sent(body, sha256)
            return self.change(sent, start, status=202, headers=lambda: where)
        finally:
            if upload is not None and not where:  # Refused, or answered before.
                uploads.discard(upload)
