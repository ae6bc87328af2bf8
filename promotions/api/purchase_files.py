"""Import of a transaction file: sent as a form, or named by its path under the import folder."""

from typing import Annotated

import msgspec
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from loyalty.api.fields import PLAIN, Body
from loyalty.api.files import read_call
from loyalty.api.jobs import JobAnswer, job_answer
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.errors import FieldError, FileMissing, PayloadTooLarge, ValidationFailed
from loyalty.scopes import Scope
from loyalty.services import uploads
from promotions.services.purchase_file import start_import


class PurchaseFileBody(Body, kw_only=True):
    """Which file: the one that comes with the call, or one under the import folder."""

    path: Annotated[str, Meta(min_length=1, max_length=1000, pattern=PLAIN)] | None = None


class _Sent(msgspec.Struct):
    """What a key of idempotency stands for: the call and what its file holds."""

    mapping: PurchaseFileBody
    sha256: str


class PurchaseFileViewSet(ProgramViewSet):
    """Files of purchases, a line each: the body of an Earn."""

    action_scopes = {"load": Scope.POINTS_EARN}

    @operation(
        "Import Transaction File",
        body=PurchaseFileBody,
        answer=JobAnswer,
        status=202,
        takes_file=True,
        errors=(FileMissing, PayloadTooLarge),
    )
    def load(self, request: Request) -> HttpResponse:
        body, file = read_call(request._request, PurchaseFileBody)
        if (file is None) == (body.path is None):
            message = "Send a file, or name one by its path: one of the two."
            raise ValidationFailed([FieldError("/path", "EXACTLY_ONE", message)])
        keyed = file is not None and "Idempotency-Key" in request.headers
        sent = _Sent(body, uploads.sha256(file) if file is not None and keyed else "")
        upload = uploads.keep(file, at=self.now()) if file is not None else None
        where: dict[str, str] = {}

        def start() -> JobAnswer:
            job = start_import(
                upload=upload,
                path=body.path,
                # Other partners' files lie there, too: each names those of its own folder.
                below="" if self.caller.house else self.caller.partner_code,
                partner_id=self.caller.partner_id,
                at=self.now(),
            )
            where["Location"] = f"/api/v1/jobs/{job.pk}/"
            return job_answer(job)

        try:
            return self.change(sent, start, status=202, headers=lambda: where)
        finally:
            if upload is not None and not where:  # Refused, or answered before.
                uploads.discard(upload)
