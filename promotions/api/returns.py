"""Earn Reversal."""

from django.http import HttpResponse
from rest_framework.request import Request

from ledger.shapes.reversals import ReversalBody, reversal_request
from ledger.shapes.transactions import TransactionAnswer, answer_of
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.errors import FieldError, ValidationFailed
from loyalty.scopes import Scope
from promotions.services import returns


class ReturnViewSet(ProgramViewSet):
    """Taking back what a sale earned."""

    action_scopes = {"reverse": Scope.POINTS_REVERSE}

    @operation(
        "Earn Reversal", body=ReversalBody, answer=TransactionAnswer, status=201, replays=True
    )
    def reverse(self, request: Request) -> HttpResponse:
        body = self.body(ReversalBody)
        if body.points is not None:
            message = "An earn is reversed whole; return items takes back a part."
            raise ValidationFailed([FieldError("/points", "NOT_HERE", message)])
        wanted = reversal_request("reverse-earn", body, self.caller, self.request_id)
        done = returns.reverse_earn(wanted, at=self.now())
        answer = answer_of(done.book, done.transaction, done.earlier, self.caller)
        return self.posted(answer, replayed=done.earlier is not None)
