"""The ladder of tiers, as callers meet it."""

from django.http import HttpResponse
from rest_framework.request import Request

from loyalty.api.fields import Answer
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.scopes import Scope
from members.models import Tier


class LadderTierAnswer(Answer, kw_only=True):
    """A rung of the ladder; a higher rank is a higher tier."""

    code: str
    name: str
    rank: int
    is_base: bool


class TiersAnswer(Answer, kw_only=True):
    """The ladder, from the base tier up."""

    results: list[LadderTierAnswer]
    next: None = None


class TierLadderViewSet(ProgramViewSet):
    """The tiers of the programme."""

    action_scopes = {"tiers": Scope.PROGRAM_READ}
    member_actions = frozenset(action_scopes)

    @operation("Get Tiers", answer=TiersAnswer)
    def tiers(self, request: Request) -> HttpResponse:
        rows = [
            LadderTierAnswer(code=each.code, name=each.name, rank=each.rank, is_base=each.is_base)
            for each in Tier.objects.order_by("rank")
        ]
        return self.answer_known(TiersAnswer(results=rows))
