"""Reading the progress of a job."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from rest_framework.request import Request

from loyalty.api.fields import Answer, Body
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.errors import NotFound
from loyalty.models import Job
from loyalty.scopes import Scope
from loyalty.services import job_errors, jobs
from loyalty.spreadsheet import CSV


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
    errors: str


def job_answer(job: Job) -> JobAnswer:
    """Return a job as its address answers it."""
    fields = {name: getattr(job, name) for name in JobAnswer.__struct_fields__ if name != "errors"}
    return JobAnswer(**fields, errors=f"/api/v1/jobs/{job.pk}/errors/")


class NothingBody(Body, kw_only=True):
    """An empty object: there is nothing to say."""


class JobViewSet(ProgramViewSet):
    """Jobs that the caller may read: those started under a scope it holds."""

    action_scopes = {
        "retrieve": Scope.PROGRAM_READ,
        "cancel": Scope.PROGRAM_READ,
        "restart": Scope.PROGRAM_READ,
        "errors": Scope.PROGRAM_READ,
    }

    @operation("Get Job", answer=JobAnswer)
    def retrieve(self, request: Request, id: UUID) -> HttpResponse:  # noqa: A002 the URL's word
        return self._answer(self._readable(id))

    @operation("Cancel Job", body=NothingBody, answer=JobAnswer)
    def cancel(self, request: Request, id: UUID) -> HttpResponse:  # noqa: A002
        self.body(NothingBody)
        job = self._started_by_caller(id)
        jobs.cancel(job)
        job.refresh_from_db()
        return self._answer(job)

    @operation("Restart Job", body=NothingBody, answer=JobAnswer)
    def restart(self, request: Request, id: UUID) -> HttpResponse:  # noqa: A002
        self.body(NothingBody)
        job = self._started_by_caller(id)
        jobs.restart(job)
        job.refresh_from_db()
        return self._answer(job)

    @operation("Get Job Errors", answer=None)
    def errors(self, request: Request, id: UUID) -> StreamingHttpResponse:  # noqa: A002
        job = self._readable(id)
        return StreamingHttpResponse(
            job_errors.as_csv_of(job.pk),
            content_type=CSV,
            headers={"Content-Disposition": f'attachment; filename="job-{job.pk}-errors.csv"'},
        )

    def _answer(self, job: Job) -> HttpResponse:
        return self.answer(job_answer(job))

    def _readable(self, key: UUID) -> Job:
        """Return a job of the caller; those that the timetable started are the house's to read."""
        job = Job.objects.filter(pk=key).first()
        mine = job and (self.caller.house or job.partner_id == self.caller.partner_id)
        if job is None or not mine or (job.scope and job.scope not in self.caller.scopes):
            raise NotFound("No such job.")
        return job

    def _started_by_caller(self, key: UUID) -> Job:
        """Return a job that was started at the API: the timetable's are the back office's."""
        job = self._readable(key)
        if not job.scope:
            raise NotFound("No such job.")
        return job
