"""Issue, replace and report cards: for the programme's own clients."""

from datetime import datetime
from typing import Literal

from django.http import HttpResponse
from rest_framework.request import Request

from loyalty.api.fields import Answer, Body, CardNumber, Code, Reason
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.errors import MemberNotFound
from loyalty.scopes import Scope
from members import errors
from members.models import Card
from members.queries import resolve
from members.services import card_replacement, cards


class IssueBody(Body, kw_only=True):
    """A printed card's number, or a range to take the next number of, or neither."""

    card: CardNumber | None = None
    range: Code | None = None
    reason: Reason | None = None


class ReplaceBody(Body, kw_only=True):
    """Without `new_card` the next free number is given."""

    card: CardNumber
    new_card: CardNumber | None = None
    reason: Literal["LOST", "STOLEN", "DAMAGED", "UPGRADE"]
    note: Reason | None = None


class ReportBody(Body, kw_only=True):
    """What became of a card; ACTIVE lets one work again that was blocked, or lost and found."""

    card: CardNumber
    status: Literal["ACTIVE", "LOST", "STOLEN", "BLOCKED", "CLOSED"]
    reason: Reason


class CardStatusAnswer(Answer, kw_only=True):
    """A card as it stands."""

    card: str
    member: str
    status: str
    issued_at: datetime
    reported_at: datetime | None
    closed_at: datetime | None
    replaces: str | None
    replaced_by: str | None


class CardViewSet(ProgramViewSet):
    """Cards, their statuses and their successors."""

    action_scopes = {
        "issue": Scope.CARDS_WRITE,
        "replace": Scope.CARDS_WRITE,
        "report": Scope.CARDS_WRITE,
    }

    @operation(
        "Issue Card",
        body=IssueBody,
        answer=CardStatusAnswer,
        status=201,
        errors=(
            MemberNotFound,
            errors.CardNotFound,
            errors.CardTaken,
            errors.CardsExhausted,
            errors.SeveralCardsForbidden,
            errors.StageForbids,
        ),
    )
    def issue(self, request: Request, number: str) -> HttpResponse:
        body = self.body(IssueBody)

        def work() -> CardStatusAnswer:
            card = cards.give_card(
                resolve(self.member_named(number)),
                body.card,
                body.range,
                by=self.caller.actor,
                at=self.now(),
                reason=body.reason or "",
            )
            return card_answer(card)

        return self.change(body, work, status=201)

    @operation(
        "Card Replacement",
        body=ReplaceBody,
        answer=CardStatusAnswer,
        status=201,
        errors=(
            errors.CardNotFound,
            errors.CardAlreadyReplaced,
            errors.CardTaken,
            errors.CardBlocked,
            errors.CardsExhausted,
            errors.StageForbids,
        ),
    )
    def replace(self, request: Request) -> HttpResponse:
        body = self.body(ReplaceBody)

        def work() -> CardStatusAnswer:
            card = card_replacement.replace_card(
                body.card,
                body.new_card,
                reason=body.reason,
                by=self.caller.actor,
                at=self.now(),
                note=body.note or "",
            )
            return card_answer(card, replaces=body.card)

        return self.change(body, work, status=201)

    @operation(
        "Block Card",
        body=ReportBody,
        answer=CardStatusAnswer,
        errors=(
            errors.CardNotFound,
            errors.CardTransitionForbidden,
            errors.SeveralCardsForbidden,
        ),
    )
    def report(self, request: Request) -> HttpResponse:
        body = self.body(ReportBody)

        def work() -> CardStatusAnswer:
            card = cards.report_card(
                body.card, body.status, reason=body.reason, by=self.caller.actor, at=self.now()
            )
            before = card.predecessors.values_list("number", flat=True).first()
            return card_answer(card, replaces=before)

        return self.change(body, work)


def card_answer(card: Card, *, replaces: str | None = None) -> CardStatusAnswer:
    """Return a card as the API tells it to the programme's own clients."""
    return CardStatusAnswer(
        card=card.number,
        member=card.member.number,
        status=card.status,
        issued_at=card.issued_at,
        reported_at=card.reported_at,
        closed_at=card.closed_at,
        replaces=replaces,
        replaced_by=card.successor.number if card.successor else None,
    )
