"""Earn and Basket Point Evaluation."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from ledger.queries.configuration import Configuration, configuration
from ledger.shapes.transactions import (
    AwardAnswer,
    TransactionAnswer,
    answer_of,
    award_answer,
)
from loyalty.api.fields import Answer, Body
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.caller import Caller
from loyalty.scopes import Scope
from promotions.engine.types import Evaluation as Outcome
from promotions.models import Evaluation
from promotions.queries import awards_again, first_awards, recompute
from promotions.services import earning, evaluation, quotes
from promotions.services.snapshot import snapshot_of
from promotions.shapes.purchases import PurchaseBody, basket_of, earn_request
from promotions.shapes.rewards import promised, rewards_answer


class IncludeQuery(Body, kw_only=True):
    """`explanation` tells, for each award, every condition with the value seen."""

    include: Literal["explanation"] | None = None


class EvaluationAnswer(Answer, kw_only=True):
    """What a purchase would earn; nothing is promised."""

    evaluated_at: datetime
    quote: str | None
    points: list[dict[str, Any]]
    awards: list[AwardAnswer]
    near_misses: list[dict[str, Any]]
    rewards: list[dict[str, Any]]
    coupons: list[dict[str, Any]]
    as_member: dict[str, Any] | None
    changed: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET


class EarningViewSet(ProgramViewSet):
    """Earning points on a purchase."""

    action_scopes = {"earn": Scope.POINTS_EARN, "evaluate": Scope.POINTS_READ}

    @operation(
        "Earn",
        body=PurchaseBody,
        answer=TransactionAnswer,
        query=IncludeQuery,
        status=201,
        replays=True,
    )
    def earn(self, request: Request) -> HttpResponse:
        include, body = self.query(IncludeQuery), self.body(PurchaseBody)
        wanted = earn_request(body, self.caller, self.request_id)
        earned = earning.earn(wanted, at=self.now())
        answer = earned_answer(earned, self.caller, wanted.promise)
        if include.include is not None:
            stored = Evaluation.objects.get(pk=answer.id)
            explain_stored(answer, stored, configuration(earned.book.epoch))
        return self.posted(answer, replayed=earned.earlier is not None)

    @operation(
        "Basket Point Evaluation", body=PurchaseBody, answer=EvaluationAnswer, query=IncludeQuery
    )
    def evaluate(self, request: Request) -> HttpResponse:
        include, body, now = self.query(IncludeQuery), self.body(PurchaseBody), self.now()
        promise = quotes.read(body.quote)
        quote = evaluation.evaluate_basket(
            basket_of(body),
            member=body.member.named() if body.member else None,
            partner_id=self.caller.partner_id,
            partner_code=self.caller.partner_code,
            at=now,
            explain=include.include is not None,
            promise=promise,
        )
        result = msgspec.to_builtins(quote.result)
        awards = [award_answer(award, quote.settings) for award in quote.result["awards"]]
        add_explanations(awards, quote.result["awards"], quote.evaluation)
        answer = EvaluationAnswer(
            evaluated_at=now,
            quote=quoted(result["awards"], self.caller, quote.member_id),
            points=totals(result["awards"]),
            awards=awards,
            near_misses=result["near_misses"],
            rewards=promised(result, quote.settings),
            coupons=result["coupons"],
            as_member=as_member_answer(quote.as_member),
        )
        if promise is not None:
            answer.changed = quotes.changes(promise, result["awards"])
        return self.answer(answer)


def quoted(awards: list[dict[str, Any]], caller: Caller, member_id: int | None) -> str | None:
    """Return the quote of an evaluation; none for a guest, to whom nothing is promised."""
    if member_id is None:
        return None
    return quotes.sign(awards, partner_id=caller.partner_id, member_id=member_id)


def earned_answer(
    earned: earning.Earned, caller: Caller, promise: quotes.Promise | None = None
) -> TransactionAnswer:
    """Return the answer of an earn, or of the earlier one that it repeats.

    `promise` is the quote that came with it, to say what came out otherwise.
    """
    settings = configuration(earned.book.epoch)
    answer = answer_of(earned.book, earned.transaction, earned.earlier, caller)
    answer.awards = [award_answer(award, settings) for award in earned.result["awards"]]
    result = msgspec.to_builtins(earned.result)
    answer.near_misses, answer.coupons = result["near_misses"], result["coupons"]
    # Whoever posts it is who issues its vouchers, and may hand their codes over.
    answer.rewards = rewards_answer(earned.result.get("rewards", []), whole=True, settings=settings)
    if promise is not None:
        answer.changed = quotes.changes(promise, result["awards"])
    return answer


def add_explanations(
    answers: list[AwardAnswer], awards: list[dict[str, Any]], found: Outcome
) -> None:
    """Put into each award why its version gave it, where that was asked for."""
    by_version = {each.version_id: msgspec.to_builtins(each) for each in found.explanations}
    for answer, award in zip(answers, awards, strict=True):
        answer.explanation = by_version.get(award["version_id"])


def explain_stored(answer: TransactionAnswer, stored: Evaluation, settings: Configuration) -> None:
    """Recompute why; if today's engine gives otherwise, the stored result stands and we say so."""
    outcome = recompute(stored, snapshot_of(settings))
    if outcome is None:
        answer.explained = "INPUTS_GONE"
        return
    same = awards_again(outcome) == first_awards(stored.result)
    answer.explained = "SAME" if same else "DIFFERS"
    add_explanations(answer.awards, stored.result["awards"], outcome)


def totals(awards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the points of awards by type."""
    totals: dict[str, int] = {}
    for award in awards:
        totals[award["type"]] = totals.get(award["type"], 0) + award["points"]
    return [{"type": kind, "points": points} for kind, points in totals.items()]


def as_member_answer(result: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what a guest would have earned as a member, as it is answered."""
    if result is None:
        return None
    plain = msgspec.to_builtins(result)
    return {"points": totals(plain["awards"]), "awards": plain["awards"]}
