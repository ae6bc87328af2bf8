"""Reads of promotions beside the ledger."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from promotions.engine.evaluate import evaluate
from promotions.engine.snapshot import Snapshot
from promotions.engine.types import Evaluation as Outcome
from promotions.engine.types import MemberFacts, Purchase
from promotions.models import Evaluation


def awards_of(transaction_ids: Iterable[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """Return the stored awards of transactions, by transaction. One query."""
    rows = Evaluation.objects.filter(transaction_id__in=list(transaction_ids))
    return {key: result["awards"] for key, result in rows.values_list("transaction_id", "result")}


class Inputs(msgspec.Struct):
    """The facts that an evaluation saw, as they were stored."""

    purchase: Purchase
    member: MemberFacts


def recompute(row: Evaluation, snapshot: Snapshot) -> Outcome | None:
    """Evaluate a stored purchase again, with explanations; None if its facts were emptied."""
    if row.inputs is None:
        return None
    inputs = msgspec.convert(row.inputs, Inputs)
    return evaluate(inputs.purchase, inputs.member, snapshot, explain=True)
