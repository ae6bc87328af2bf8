"""Redemption."""

from django.http import HttpResponse
from rest_framework.request import Request

from ledger.errors import InsufficientPoints
from ledger.services import redemption
from ledger.shapes.redemptions import RedemptionBody, redemption_request
from ledger.shapes.transactions import TransactionAnswer, answer_of
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.scopes import Scope
from members.sign_in_errors import StepUpInvalid, StepUpRequired


class RedemptionViewSet(ProgramViewSet):
    """Spending points."""

    action_scopes = {"redeem": Scope.POINTS_REDEEM}

    @operation(
        "Redemption",
        body=RedemptionBody,
        answer=TransactionAnswer,
        status=201,
        replays=True,
        errors=[InsufficientPoints, StepUpRequired, StepUpInvalid],
    )
    def redeem(self, request: Request) -> HttpResponse:
        body = self.body(RedemptionBody)
        done = redemption.redeem_points(
            redemption_request(body, self.caller, self.request_id), at=self.now()
        )
        return self.posted(
            answer_of(done.book, done.transaction, done.earlier, self.caller),
            replayed=done.earlier is not None,
        )
