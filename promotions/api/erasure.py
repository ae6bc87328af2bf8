"""Erasing a member: beyond the 57, for whoever must answer a request under GDPR, Art. 17."""

from datetime import datetime

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from ledger.queries.configuration import configuration
from loyalty.api.fields import Answer, Body, Reason
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.scopes import Scope
from members.errors import StageTransitionForbidden
from promotions.services.membership.erasure import erase_member


class ErasureBody(Body, kw_only=True):
    """Why. Do not name the person here: the reason stays."""

    reason: Reason


class ForfeitedAnswer(Answer, kw_only=True):
    """Points of one type that were forfeited."""

    type: str
    points: int


class ErasureAnswer(Answer, kw_only=True):
    """A member without a person: the number stays as a pseudonym."""

    number: str
    stage: str
    erased_at: datetime
    merged_from: list[str]
    forfeited: list[ForfeitedAnswer]


class ErasureViewSet(ProgramViewSet):
    """Erasing a member."""

    action_scopes = {"erase": Scope.STAGES_WRITE}

    @operation(
        "Erase Member",
        body=ErasureBody,
        answer=ErasureAnswer,
        errors=[StageTransitionForbidden],
    )
    def erase(self, request: Request, number: str) -> HttpResponse:
        body, now = self.body(ErasureBody), self.now()

        def work() -> msgspec.Struct:
            erased = erase_member(
                self.member_named(number), by=self.caller.actor, at=now, reason=body.reason
            )
            settings = configuration()
            return ErasureAnswer(
                number=erased.number,
                stage="CLOSED",
                erased_at=erased.erased_at,
                merged_from=list(erased.merged_from),
                forfeited=[
                    ForfeitedAnswer(type=settings.point_types[key].code, points=points)
                    for key, points in erased.forfeited.items()
                ],
            )

        return self.change(body, work)
