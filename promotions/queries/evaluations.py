"""Reads of promotions beside the ledger."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from ledger.queries.books import execute
from promotions.engine.basket import Product
from promotions.engine.evaluate import evaluate
from promotions.engine.snapshot import Snapshot
from promotions.engine.types import Evaluation as Outcome
from promotions.engine.types import MemberFacts, Purchase
from promotions.models import Evaluation


def awards_of(transaction_ids: Iterable[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """Return the stored awards of transactions, by transaction. One query."""
    rows = Evaluation.objects.filter(transaction_id__in=list(transaction_ids))
    return {key: result["awards"] for key, result in rows.values_list("transaction_id", "result")}


def products_by_sku(skus: Iterable[str]) -> dict[str, Product]:
    """Return what the master data knows of these products. One query; none for no SKU."""
    wanted = list(dict.fromkeys(skus))
    if not wanted:
        return {}
    row = execute(
        "SELECT promotions_products(%s::jsonb)::text", (msgspec.json.encode(wanted).decode(),)
    )
    return msgspec.json.decode(row[0], type=dict[str, Product])


class Inputs(msgspec.Struct):
    """The facts that an evaluation saw, as they were stored."""

    purchase: Purchase | None
    member: MemberFacts
    ceilings: dict[int, tuple[int | None, ...]] = {}


def inputs_of(stored: dict[str, Any]) -> Inputs:
    """Return stored inputs as the engine takes them; the keys of JSON are text."""
    return msgspec.convert(stored, Inputs, str_keys=True)


def recompute(row: Evaluation, snapshot: Snapshot) -> Outcome | None:
    """Evaluate a stored purchase again, with explanations; None if its facts were emptied."""
    if row.inputs is None:
        return None
    inputs = inputs_of(row.inputs)
    if inputs.purchase is None:  # A return that left nothing deserves nothing.
        return Outcome((), ())
    ceilings = inputs.ceilings
    return evaluate(inputs.purchase, inputs.member, snapshot, ceilings=ceilings, explain=True)


def first_awards(result: dict[str, Any]) -> list[tuple[int, int | None, str, int]]:
    """Return the awards of a stored result as its evaluation gave them: version, line, points.

    A return's result has the difference that was posted, and what the kept items deserved.
    """
    awards = result.get("deserved", result["awards"])
    return [(a["version_id"], a["line"], a["type"], a["points"]) for a in awards]


def awards_again(outcome: Outcome) -> list[tuple[int, int | None, str, int]]:
    """Return the awards of a recomputed evaluation, to be held against the first ones."""
    return [(a.version_id, a.line, a.type, a.points) for a in outcome.awards]


def first_rewards(result: dict[str, Any]) -> list[tuple[int, int | None, str, int]]:
    """Return the vouchers and tickets that an evaluation wanted to give, in the form of awards.

    What there was too little of was wanted, too. A return stores what changed, not what it wanted.
    """
    rows = [] if "deserved" in result else result.get("rewards", [])
    return [(r["version_id"], None, r["code"], r.get("wanted", r["quantity"])) for r in rows]


def rewards_again(
    outcome: Outcome, result: dict[str, Any]
) -> list[tuple[int, int | None, str, int]]:
    """Return those of a recomputed evaluation, to be held against the first ones."""
    if "deserved" in result:
        return []
    return [(r.version_id, None, r.code, r.quantity) for r in outcome.rewards]
