"""Several postings in one call, in order, each with its own outcome and scope."""

from typing import Annotated, Any, Literal

import msgspec
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from ledger.services import redemption
from ledger.shapes.redemptions import RedemptionBody, redemption_request
from ledger.shapes.reversals import ReversalBody, reversal_request
from ledger.shapes.transactions import TransactionAnswer, answer_of
from loyalty.api.bodies import field_error
from loyalty.api.exceptions import as_refusal, document_of
from loyalty.api.fields import Answer, Body
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.errors import ScopeMissing, ValidationFailed
from loyalty.scopes import Scope
from promotions.api.earning import earn_request, earned_answer
from promotions.api.purchases import PurchaseBody
from promotions.services import earning, returns

BATCH_MAX = 100


class ItemBody(Body, kw_only=True):
    """One posting: the operation's name and the body it takes alone."""

    operation: Literal["earn", "redeem", "reverse-earn"]
    body: dict[str, Any]


class BatchBody(Body, kw_only=True):
    """Up to 100 postings."""

    items: Annotated[list[ItemBody], Meta(min_length=1, max_length=BATCH_MAX)]


class ItemAnswer(Answer, kw_only=True):
    """What became of one item: its answer, or its problem."""

    index: int
    status: int
    body: TransactionAnswer | None = None
    problem: dict[str, Any] | None = None


class BatchAnswer(Answer, kw_only=True):
    """The outcomes, in the order of the items."""

    items: list[ItemAnswer]


class BatchViewSet(ProgramViewSet):
    """Several postings in one call. An item that fails leaves the others as they are."""

    action_scopes = {"run": Scope.POINTS_EARN}

    @operation("Transaction Batch", body=BatchBody, answer=BatchAnswer)
    def run(self, request: Request) -> HttpResponse:
        body = self.body(BatchBody)
        return self.answer(
            BatchAnswer(items=[self._item(index, item) for index, item in enumerate(body.items)])
        )

    def _item(self, index: int, item: ItemBody) -> ItemAnswer:
        """Post one item in a transaction of its own; every refusal is this item's alone."""
        scope, post = _OPERATIONS[item.operation]
        try:
            if scope not in self.caller.scopes:
                raise ScopeMissing(scope)
            answer, replayed = post(self, item.body)
            return ItemAnswer(index=index, status=200 if replayed else 201, body=answer)
        except Exception as error:  # One item's fault must not lose the others' outcomes.
            refusal = as_refusal(error)
            problem = document_of(refusal, self.request._request)
            return ItemAnswer(index=index, status=refusal.status, problem=problem)


def _shaped(body: dict[str, Any], shape: type[msgspec.Struct]) -> Any:
    try:
        return msgspec.convert(body, shape)
    except msgspec.ValidationError as error:
        raise ValidationFailed([field_error(error)]) from None


def _earn(view: BatchViewSet, body: dict[str, Any]) -> tuple[TransactionAnswer, bool]:
    wanted = earn_request(_shaped(body, PurchaseBody), view.caller, view.request_id)
    earned = earning.earn(wanted, at=view.now())
    return earned_answer(earned, view.caller), earned.earlier is not None


def _redeem(view: BatchViewSet, body: dict[str, Any]) -> tuple[TransactionAnswer, bool]:
    wanted = redemption_request(_shaped(body, RedemptionBody), view.caller, view.request_id)
    done = redemption.redeem_points(wanted, at=view.now())
    answer = answer_of(done.book, done.transaction, done.earlier, view.caller)
    return answer, done.earlier is not None


def _reverse_earn(view: BatchViewSet, body: dict[str, Any]) -> tuple[TransactionAnswer, bool]:
    shaped = _shaped(body, ReversalBody)
    wanted = reversal_request("reverse-earn", shaped, view.caller, view.request_id)
    done = returns.reverse_earn(wanted, at=view.now())
    answer = answer_of(done.book, done.transaction, done.earlier, view.caller)
    return answer, done.earlier is not None


_OPERATIONS = {
    "earn": (Scope.POINTS_EARN, _earn),
    "redeem": (Scope.POINTS_REDEEM, _redeem),
    "reverse-earn": (Scope.POINTS_REVERSE, _reverse_earn),
}
