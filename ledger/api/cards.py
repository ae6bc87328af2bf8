"""Card Validate."""

from typing import Literal

from django.http import HttpResponse
from msgspec import UNSET, UnsetType
from rest_framework.request import Request

from ledger.api.statements import MayAnswer
from ledger.queries.cards import CardStanding
from ledger.services.card_validation import Validated, validate
from ledger.shapes.transactions import BalanceAnswer
from loyalty.api.fields import Answer, Body, CardNumber, Code
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.caller import Caller
from loyalty.errors import LockedOut, ScopeMissing
from loyalty.scopes import Scope
from members.masking import masked_name
from members.queries.consents import shares_with_partners
from partners.errors import OutletUnknown


class ValidateBody(Body, kw_only=True):
    """The card that was shown, and where."""

    card: CardNumber
    outlet: Code | None = None


class ValidateQuery(Body, kw_only=True):
    """`points` adds the balances; it needs points:read."""

    include: Literal["points"] | None = None


class ValidateAnswer(Answer, kw_only=True):
    """What a card is worth. Of a number that nobody has, or that does not work, no member.

    `status` is that of the card, or UNKNOWN, MISTYPED (its check digit is wrong) or UNISSUED:
    a number of a known range that nobody has; `can_enrol` tells whether its holder may enrol
    with it. `replaced_by` and the member of a card that does not work are for those who may know.
    """

    card: str
    valid: bool
    status: str
    can_enrol: bool
    replaced_by: str | None
    member: str | None
    stage: str | None
    name: str | None
    tier: str | None
    may: MayAnswer
    balances: list[BalanceAnswer] | UnsetType = UNSET


class CardValidationViewSet(ProgramViewSet):
    """Judging cards at the till."""

    action_scopes = {"validate": Scope.CARDS_VALIDATE}

    @operation(
        "Card Validate",
        body=ValidateBody,
        answer=ValidateAnswer,
        query=ValidateQuery,
        errors=(LockedOut, OutletUnknown),
    )
    def validate(self, request: Request) -> HttpResponse:
        wanted, body = self.query(ValidateQuery), self.body(ValidateBody)
        points = wanted.include is not None
        if points and Scope.POINTS_READ not in self.caller.scopes:
            raise ScopeMissing(Scope.POINTS_READ)
        found = validate(
            body.card,
            client_id=self.caller.client_id,
            partner_id=self.caller.partner_id,
            outlet=body.outlet,
            points=points,
            at=self.now(),
        )
        return self.answer(_answer(body.card, found, self.caller))


def _answer(card: str, found: Validated, caller: Caller) -> ValidateAnswer:
    answer = ValidateAnswer(
        card=card,
        valid=found.valid,
        status=found.status,
        can_enrol=found.can_enrol,
        replaced_by=None,
        member=None,
        stage=None,
        name=None,
        tier=None,
        may=MayAnswer(earn=found.may_earn, redeem=found.may_redeem),
    )
    standing = found.standing
    if standing is None or not (found.valid or _trusted(caller, standing)):
        return answer
    answer.member, answer.stage, answer.tier = standing.number, standing.stage, standing.tier
    answer.name = masked_name(standing.first_name, standing.last_name)
    answer.replaced_by = standing.successor
    if found.book is not None:
        codes = {key: facts.code for key, facts in found.settings.point_types.items()}
        answer.balances = [
            BalanceAnswer(
                type=codes[key],
                available=each.available,
                pending=each.pending,
                locked=each.locked,
                debt=each.debt,
            )
            for key, each in sorted(found.book.book.accounts.items())
        ]
    return answer


def _trusted(caller: Caller, standing: CardStanding) -> bool:
    """Return whether a caller may see whose a card is that does not work any more."""
    if caller.house or standing.enrolled_by == caller.partner_id:
        return True
    return shares_with_partners(standing.member_id)
