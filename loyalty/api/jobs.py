"""Reading the progress of a job."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from loyalty.api.fields import Answer
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.errors import NotFound
from loyalty.models import Job
from loyalty.scopes import Scope


class JobAnswer(Answer, kw_only=True):
    """How far a job is, and what came of it."""

    id: UUID
    kind: str
    status: str
    done: int
    total: int | None
    dry_run: bool
    result: dict[str, Any]
    problem: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobViewSet(ProgramViewSet):
    """Jobs that the caller may read: those started under a scope it holds."""

    action_scopes = {"retrieve": Scope.PROGRAM_READ}

    @operation("Get Job", answer=JobAnswer)
    def retrieve(self, request: Request, id: UUID) -> HttpResponse:  # noqa: A002 the URL's word
        job = Job.objects.filter(pk=id).first()
        mine = job and (self.caller.house or job.partner_id == self.caller.partner_id)
        if job is None or not mine or (job.scope and job.scope not in self.caller.scopes):
            raise NotFound("No such job.")
        fields = {name: getattr(job, name) for name in JobAnswer.__struct_fields__}
        return self.answer(JobAnswer(**fields))
