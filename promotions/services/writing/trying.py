"""Trying a draft on one basket: what it would earn beside everything that is live, and why."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledger.queries.books import read
from ledger.queries.configuration import configuration
from promotions.engine import conditions
from promotions.engine.basket import Basket
from promotions.engine.definition import Definition
from promotions.engine.snapshot import Snapshot
from promotions.engine.trial import DRAFT
from promotions.engine.types import Condition, Evaluation
from promotions.engine.versions import compile_version
from promotions.queries import products_by_sku
from promotions.services.awarding import asked_of, carries
from promotions.services.budgets import OnlyLooking, evaluate_within
from promotions.services.earning import checked_purchase
from promotions.services.facts import Known, Left, facts_of, read_known
from promotions.services.snapshot import load_schemas, snapshot_of


@dataclass(frozen=True, slots=True)
class Tried:
    """What a basket would earn with a draft. `conditions` are the draft's, with what they saw.

    `failed` is the first of time, place and person that kept the draft from applying, if any did.
    """

    evaluation: Evaluation
    conditions: tuple[Condition, ...]
    failed: str | None


def try_draft(
    code: str,
    definition: Definition,
    basket: Basket,
    *,
    member: dict[str, Any] | None,
    partner_code: str,
    at: datetime,
) -> Tried:
    """Return what a basket would earn if the draft took the place of the promotion's versions.

    It is evaluated as Basket Point Evaluation does, with what limits and budgets have left now;
    `member` is None for a guest. Nothing is written.

    :raises MemberNotFound: if the reference names nobody.
    :raises ValidationFailed, TendersMismatch, CurrencyHasNoRate: if the basket is not one.
    """
    book = read(member, at=at) if member is not None else None
    settings = configuration(book.epoch if book else None)
    stored = snapshot_of(settings)
    draft = compile_version(
        id=DRAFT,
        promotion=code,
        number=2**31 - 1,  # Newer than all that are stored, for what budgets have left.
        live=[(basket.occurred_at, None)],
        definition=definition,
        currency=settings.currency,
        schemas=load_schemas(),
    )
    others = [version for version in stored.versions if version.promotion != code]
    snapshot = Snapshot([*others, draft])
    products = products_by_sku(line.sku for line in basket.lines if line.sku is not None)
    purchase = checked_purchase(basket, products, partner_code, settings)
    facts, known = None, None
    if book is not None:
        asked = asked_of(settings, snapshot, [basket.occurred_at])
        known = read_known(book.book.member_id, asked, at=at) if asked else Known.nothing()
        facts = facts_of(
            book, known, snapshot, tier=book.member.tier or "", carries=carries(settings, snapshot)
        )
    left = Left(snapshot, known, purchase)
    found = evaluate_within(purchase, facts, snapshot, left, OnlyLooking(), explain=True)
    return Tried(
        found,
        tuple(conditions.explain(draft, purchase, facts)),
        conditions.applies(draft, purchase, facts),
    )
