"""Several postings in one call and, where they can, in one commit; each with its own outcome."""

from typing import Annotated, Any, Literal

import msgspec
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from ledger.services import redemption
from ledger.services.reversal import ReversalRequest
from ledger.shapes.redemptions import RedemptionBody, redemption_request
from ledger.shapes.reversals import ReversalBody, reversal_request
from ledger.shapes.transactions import TransactionAnswer, answer_of
from loyalty.api.bodies import field_error
from loyalty.api.exceptions import as_refusal, document_of
from loyalty.api.fields import Answer, Body
from loyalty.api.openapi import operation
from loyalty.api.views import ProgramViewSet
from loyalty.errors import LoyaltyError, ScopeMissing, ValidationFailed
from loyalty.scopes import Scope
from promotions.api.earning import earned_answer
from promotions.api.returns import ItemsBody, items_request, return_answer, take_back
from promotions.services import batch, earning, returns, reversals
from promotions.services.blind_returns import BlindReturnRequest
from promotions.shapes.purchases import PurchaseBody, earn_request

BATCH_MAX = 100


class ItemBody(Body, kw_only=True):
    """One posting: the operation's name and the body it takes alone."""

    operation: Literal["earn", "redeem", "return-items", "reverse-earn"]
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


Posting = (
    earning.EarnRequest
    | redemption.RedemptionRequest
    | ReversalRequest
    | returns.ReturnRequest
    | BlindReturnRequest
)
_TOGETHER = (earning.EarnRequest, redemption.RedemptionRequest)
_SCOPES = {
    "earn": Scope.POINTS_EARN,
    "redeem": Scope.POINTS_REDEEM,
    "return-items": Scope.POINTS_REVERSE,
    "reverse-earn": Scope.POINTS_REVERSE,
}


class BatchViewSet(ProgramViewSet):
    """Several postings in one call. An item that fails leaves the others as they are."""

    action_scopes = {"run": Scope.POINTS_EARN}

    @operation("Transaction Batch", body=BatchBody, answer=BatchAnswer)
    def run(self, request: Request) -> HttpResponse:
        body = self.body(BatchBody)
        requests: list[Posting | None] = []
        refusals: dict[int, LoyaltyError] = {}
        for index, item in enumerate(body.items):
            try:
                requests.append(self._read(item))
            except LoyaltyError as refusal:
                requests.append(None)
                refusals[index] = refusal
        together = [each if isinstance(each, _TOGETHER) else None for each in requests]
        outcomes = batch.post_together(together, at=self.now())
        answers = []
        for index, each in enumerate(requests):
            if index in outcomes:
                answers.append(self._posted(index, outcomes[index], each))
            elif each is None:
                answers.append(self._refused(index, refusals[index]))
            else:
                answers.append(self._alone(index, each))
        return self.answer(BatchAnswer(items=answers))

    def _read(self, item: ItemBody) -> Posting:
        """Return an item as its use case takes it; check the scope of its operation."""
        scope = _SCOPES[item.operation]
        if scope not in self.caller.scopes:
            raise ScopeMissing(scope)
        if item.operation == "earn":
            purchase: PurchaseBody = _shaped(item.body, PurchaseBody)
            return earn_request(purchase, self.caller, self.request_id)
        if item.operation == "redeem":
            wanted: RedemptionBody = _shaped(item.body, RedemptionBody)
            return redemption_request(wanted, self.caller, self.request_id)
        if item.operation == "return-items":
            items: ItemsBody = _shaped(item.body, ItemsBody)
            return items_request(items, self.caller, self.request_id)
        back: ReversalBody = _shaped(item.body, ReversalBody)
        return reversal_request("reverse-earn", back, self.caller, self.request_id)

    def _posted(self, index: int, outcome: batch.Outcome, wanted: Posting | None) -> ItemAnswer:
        if isinstance(wanted, earning.EarnRequest):
            answer = earned_answer(batch.earned_of(outcome), self.caller, wanted.promise)
        else:
            answer = answer_of(outcome.book, outcome.transaction, None, self.caller)
        return ItemAnswer(index=index, status=201, body=answer)

    def _alone(self, index: int, wanted: Posting) -> ItemAnswer:
        """Post one item in a transaction of its own; every refusal is this item's alone."""
        try:
            if isinstance(wanted, earning.EarnRequest):
                earned = earning.earn(wanted, at=self.now())
                answer = earned_answer(earned, self.caller, wanted.promise)
                replayed = earned.earlier is not None
            elif isinstance(wanted, redemption.RedemptionRequest):
                spent = redemption.redeem_points(wanted, at=self.now())
                answer = answer_of(spent.book, spent.transaction, spent.earlier, self.caller)
                replayed = spent.earlier is not None
            elif isinstance(wanted, returns.ReturnRequest | BlindReturnRequest):
                kept = take_back(wanted, at=self.now())
                answer = return_answer(kept, self.caller)
                replayed = kept.earlier is not None
            else:
                back = reversals.reverse_earn(wanted, at=self.now())
                answer = answer_of(back.book, back.transaction, back.earlier, self.caller)
                replayed = back.earlier is not None
        except Exception as error:  # One item's fault must not lose the others' outcomes.
            return self._refused(index, as_refusal(error))
        return ItemAnswer(index=index, status=200 if replayed else 201, body=answer)

    def _refused(self, index: int, refusal: LoyaltyError) -> ItemAnswer:
        problem = document_of(refusal, self.request._request)
        return ItemAnswer(index=index, status=refusal.status, problem=problem)


def _shaped(body: dict[str, Any], shape: type[msgspec.Struct]) -> Any:
    try:
        return msgspec.convert(body, shape)
    except msgspec.ValidationError as error:
        raise ValidationFailed([field_error(error)]) from None
