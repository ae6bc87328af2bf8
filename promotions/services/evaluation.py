"""Basket Point Evaluation: what a purchase would earn. Nothing is written."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledger.queries.books import read
from ledger.queries.configuration import Configuration, configuration
from ledger.services import checks
from members.models import Tier
from promotions.engine.basket import Basket
from promotions.engine.types import Evaluation, MemberFacts
from promotions.queries import products_by_sku
from promotions.services import claiming, quotes
from promotions.services.awarding import asked_of, carries, dated_awards, result_of
from promotions.services.budgets import OnlyLooking, evaluate_within
from promotions.services.earning import checked_purchase
from promotions.services.facts import Known, Left, facts_of, read_known
from promotions.services.quotes import Promise
from promotions.services.snapshot import snapshot_of


@dataclass(frozen=True, slots=True)
class Quote:
    """What a purchase would earn, as a member or guest; for a guest also as a member."""

    result: dict[str, Any]
    evaluation: Evaluation
    as_member: dict[str, Any] | None
    settings: Configuration
    member_id: int | None = None


def evaluate_basket(
    basket: Basket,
    *,
    member: dict[str, Any] | None,
    partner_id: int,
    partner_code: str,
    at: datetime,
    explain: bool = False,
    promise: Promise | None = None,
) -> Quote:
    """Return what a purchase would earn now; `member` is None for a guest.

    `as_member` is the same basket for an ACTIVE member of the base tier. Neither is promised.

    :raises MemberNotFound: if the reference names nobody.
    :raises StageForbids, OutletUnknown, TooOld, InFuture: as Earn would.
    :raises ValidationFailed: if the basket is none, or the promise was made to another.
    """
    book = read(member, at=at) if member is not None else None
    settings = configuration(book.epoch if book else None)
    quotes.check(promise, partner_id=partner_id, member_id=book.member.id if book else None)
    if book:
        checks.may_earn(book)
    checks.outlet_known(settings, partner_id, basket.outlet)
    checks.in_time(settings, basket.occurred_at, at)
    if book:
        claiming.check_claim(book, settings, basket.occurred_at)
    products = products_by_sku(line.sku for line in basket.lines if line.sku is not None)
    purchase = checked_purchase(basket, products, partner_code, settings)
    snapshot = snapshot_of(settings)

    def result(facts: MemberFacts | None, known: Known | None) -> tuple[Evaluation, dict[str, Any]]:
        left, purse = Left(snapshot, known, purchase), OnlyLooking()
        found = evaluate_within(purchase, facts, snapshot, left, purse, explain=explain)
        awards = dated_awards(found.awards, basket.occurred_at, at, settings)
        return found, result_of(found, awards, left)

    if book is not None:
        asked = asked_of(settings, snapshot, [basket.occurred_at])
        known = read_known(book.book.member_id, asked, at=at) if asked else Known.nothing()
        tier, stage = book.member.tier or "", book.member.stage
        if claiming.is_claim(book, settings, basket.occurred_at):
            then = claiming.as_enrolled(book, known, asked, tier=tier)
            known, tier, stage = then.known, then.tier, then.stage
        carried = carries(settings, snapshot)
        facts = facts_of(book, known, snapshot, tier=tier, stage=stage, carries=carried)
        evaluation, answer = result(facts, known)
        return Quote(answer, evaluation, None, settings, book.member.id)
    evaluation, answer = result(None, None)
    base = Tier.objects.filter(is_base=True).values_list("code", flat=True).first() or ""
    _, as_member = result(MemberFacts(base, "ACTIVE"), Known.nothing())
    return Quote(answer, evaluation, as_member, settings)
