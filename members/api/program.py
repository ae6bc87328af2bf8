"""The ladder of tiers, as callers meet it."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from loyalty.api.fields import Answer
from loyalty.api.languages import negotiate
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.scopes import Scope
from members.models import LadderVersion, Tier
from members.queries.ladder import ladder_at


class LadderTierAnswer(Answer, kw_only=True):
    """A rung of the ladder; a higher rank is a higher tier.

    `at_least` is what the ladder's measure must reach: a number, or decimal text for spend. A
    tier without it is given by hand alone. `next` is the next tier that can be reached.
    """

    code: str
    name: str
    rank: int
    is_base: bool
    benefits: str | None
    at_least: int | str | None
    next: str | None


class LadderRulesAnswer(Answer, kw_only=True):
    """What leads from tier to tier: what counts, over which days, and how tiers are kept."""

    version: int
    measure: str
    point_type: str | None
    window: str
    months: int | None
    counts: str
    valid: str | None
    grace: str | None
    downgrade: str


class TiersAnswer(Answer, kw_only=True):
    """The ladder, from the base tier up."""

    ladder: LadderRulesAnswer | None
    results: list[LadderTierAnswer]
    next: None = None


class TierLadderViewSet(ProgramViewSet):
    """The tiers of the programme."""

    action_scopes = {"tiers": Scope.PROGRAM_READ}
    member_actions = frozenset(action_scopes)

    @operation("Get Tiers", answer=TiersAnswer)
    def tiers(self, request: Request) -> HttpResponse:
        language = negotiate(request)
        version = ladder_at(self.now())
        thresholds = {each["tier"]: each["at_least"] for each in _thresholds(version)}
        tiers = list(Tier.objects.order_by("rank"))
        climbable = [each.code for each in tiers if each.code in thresholds]
        rows = []
        for each in tiers:
            above = [code for code in climbable if _rank(tiers, code) > each.rank]
            benefits = language.text("benefits", each.translations, each.benefits)
            rows.append(
                LadderTierAnswer(
                    code=each.code,
                    name=language.text("name", each.translations, each.name),
                    rank=each.rank,
                    is_base=each.is_base,
                    benefits=benefits or None,
                    at_least=thresholds.get(each.code),
                    next=above[0] if above else None,
                )
            )
        answer = TiersAnswer(ladder=_rules(version), results=rows)
        return self.answer_known(answer, headers=language.headers)


def _rank(tiers: list[Tier], code: str) -> int:
    return next(each.rank for each in tiers if each.code == code)


def _thresholds(version: LadderVersion | None) -> list[dict[str, Any]]:
    return version.definition["thresholds"] if version else []


def _rules(version: LadderVersion | None) -> LadderRulesAnswer | None:
    if version is None:
        return None
    given = {key: version.definition[key] for key in LadderRulesAnswer.__struct_fields__[1:]}
    return LadderRulesAnswer(version=version.number, **given)
