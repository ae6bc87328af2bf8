"""Earn: evaluate a purchase under the promotions of its time, and post what it earns.

Five hops: the view, this, the engine, the posting kernel, the outbox row the kernel writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from ledger.kernel.book import Header, Kind, Transaction
from ledger.queries.books import Earlier, execute
from ledger.queries.configuration import (
    Basis,
    Configuration,
    cached_configuration,
    configuration,
)
from ledger.services import checks, posting
from ledger.services.posting import Alongside, Find, LockedBook
from loyalty.caller import Actor
from loyalty.errors import FieldError, ValidationFailed
from loyalty.services.use_case import use_case
from members.models import Member
from members.services.stage import change_stage
from promotions.engine.basket import (
    Basket,
    BasketInvalid,
    Counting,
    Product,
    TendersDiffer,
    cost_of,
    purchase_of,
)
from promotions.engine.currency import in_currency
from promotions.engine.money import to_text
from promotions.engine.returns import paid
from promotions.engine.types import Evaluation, Purchase
from promotions.errors import TendersMismatch
from promotions.services import claiming, facts, quotes
from promotions.services.awarding import asked_of, draft, judge, recording, worth_of
from promotions.services.budgets import Purse, Till
from promotions.services.facts import Known
from promotions.services.quotes import Promise
from promotions.services.rewarding.rewards import Record
from promotions.services.snapshot import loaded_snapshot, snapshot_of
from promotions.services.tiers import overrides, standings, tiering
from promotions.services.tiers.standings import Standing
from promotions.services.tiers.tier_rewards import climbed, reward_move


@dataclass(frozen=True, slots=True, kw_only=True)
class EarnRequest:
    """A purchase to earn on, as a till sent it."""

    member: dict[str, Any]
    partner_id: int
    partner_code: str
    reference: str
    digest: bytes
    basket: Basket
    offline: bool = False
    request_id: str | None = None
    promise: Promise | None = None
    sale: UUID | None = None  # Of the call that this is a part of: it is the earn's own id, too.


@dataclass(frozen=True, slots=True)
class Earned:
    """An earn that was posted, or (`earlier`) had been before.

    `result` is the evaluation as it is stored: awards with their dates, near misses, coupons.
    """

    book: LockedBook
    transaction: Transaction | None
    result: dict[str, Any]
    evaluation: Evaluation | None = None
    earlier: Earlier | None = None


@use_case
def earn(request: EarnRequest, *, at: datetime) -> Earned:
    """Post the points a purchase earns under the promotions live when it was made.

    `at` is now. Sent again, it posts nothing and returns the first outcome, whatever became of
    the member or the promotions since. Where no rule matches, a transaction without effects
    remains. Two statements: one locks and loads, one writes.

    :raises StageForbids, CardBlocked, OutletUnknown, TooOld, InFuture: see `ledger.checks`.
    :raises TendersMismatch, NoRate, ValidationFailed: if the basket is not one.
    :raises ReferenceConflict: if the reference names another purchase.
    """
    find = Find(request.partner_id, Kind.EARN, request.reference)
    wanted = asked_before(request.basket.occurred_at)
    book = posting.lock(
        request.member,
        at=at,
        find=find,
        alongside=[
            products_of(request.basket),
            standings.beside_lock(
                request.member,
                cached_configuration(),
                at=at,
                occurred_at=request.basket.occurred_at,
            ),
            *facts.alongside(request.member, wanted, at=at),
        ],
    )
    if earlier := posting.replayed(book, request.digest):
        return Earned(book, None, stored_result(earlier.id), earlier=earlier)
    settings = configuration(book.epoch)
    asked = asked_of(settings, snapshot_of(settings), [request.basket.occurred_at])
    till = Till()
    standing = standings.standing_of(book, settings)
    transaction, evaluation, record = post_earn(
        book, standing, request, at=at, known=facts.known(book, asked, wanted), purse=till
    )
    posting.write(
        book,
        alongside=[*recording([record, *standing.records], till), *standings.record_of([standing])],
    )
    return Earned(book, transaction, record.result, evaluation)


def asked_before(occurred_at: datetime) -> dict[str, Any] | None:
    """Return what this process's promotions ask of a member, before any lock says if they stand.

    A process that has loaded none yet asks for nothing, and reads it after the lock.
    """
    loaded = loaded_snapshot()
    return asked_of(*loaded, [occurred_at]) if loaded else None


def products_of(basket: Basket) -> Alongside:
    """Return the query for the basket's products, to go with the locking statement."""
    skus = list({line.sku for line in basket.lines if line.sku is not None})
    return Alongside("promotions_products", msgspec.json.encode(skus))


_decode_products = msgspec.json.Decoder(dict[str, Product]).decode


def post_earn(
    book: LockedBook,
    standing: Standing,
    request: EarnRequest,
    *,
    at: datetime,
    known: Known,
    purse: Purse,
    products: Mapping[str, Product] | None = None,
    tier_of_call: str | None = None,
) -> tuple[Transaction, Evaluation, Record]:
    """Settle, check, evaluate and draft one earn on a locked book; a step, nothing is written.

    Returns the draft, its evaluation, and the record of it to be stored with the posting. The
    purchase is evaluated with the tier before it, and may lift the member above it; one made before
    the member enrolled, with what held then. `known` is
    what promotions ask of the member; `purse` is where their budgets are claimed from.
    `products` are those of the basket where they were not read beside the book. `tier_of_call` is
    the tier before the whole call, where it did something before: only what lifts the member above
    that is rewarded, so that items do not come and go for it.
    """
    assert connection.in_atomic_block
    settings = configuration(book.epoch)
    posting.settle(book)
    check_earn(book, request, settings, at)
    if products is None:
        products = _decode_products(book.facts.get("promotions_products", "{}"))
    purchase = checked_purchase(request.basket, products, request.partner_code, settings)
    overrides.catch_up(standing, book)
    tier, occurred_at = standing.held.tier, request.basket.occurred_at
    if claiming.is_claim(book, settings, occurred_at):
        asked = asked_of(settings, snapshot_of(settings), [occurred_at])
        then = claiming.as_enrolled(book, known, asked, tier=tier)
        judged = judge(
            book, purchase, then.known, settings, purse, tier=then.tier, stage=then.stage
        )
    else:
        judged = judge(book, purchase, known, settings, purse, tier=tier)
    header = header_of(request, purchase, tier)
    transaction, record = draft(book, header, judged, known, settings)
    spend = sum(line.net for line in purchase.lines)
    visits = int(bool(purchase.lines))
    tiering.count_sale(standing, book, transaction, spend=spend, visits=visits)
    if tier_of_call is None or climbed(standing, tier_of_call):
        reward_move(standing, book, tier_of_call or tier, purse=purse, sale=transaction.id)
    after_earn(book, header, settings, awarded=bool(judged.evaluation.awards))
    return transaction, judged.evaluation, record


def check_earn(
    book: LockedBook, request: EarnRequest, settings: Configuration, at: datetime
) -> None:
    """Refuse what may not be earned: by stage, card, outlet or time; and a foreign quote."""
    basket = request.basket
    quotes.check(request.promise, partner_id=request.partner_id, member_id=book.member.id)
    checks.may_earn(book)
    checks.card_works(book, settings, basket.occurred_at)
    checks.outlet_known(settings, request.partner_id, basket.outlet)
    checks.in_time(settings, basket.occurred_at, at, offline=request.offline)
    claiming.check_claim(book, settings, basket.occurred_at)


def header_of(request: EarnRequest, purchase: Purchase, tier: str) -> Header:
    """Return what the books keep of an earn beside its points."""
    return Header(
        kind=Kind.EARN,
        id=request.sale,
        sale=request.sale,
        partner_id=request.partner_id,
        occurred_at=request.basket.occurred_at,
        reference=request.reference,
        digest=request.digest,
        amount=to_text(sum(map(paid, purchase.lines)), request.basket.currency),
        currency=request.basket.currency,
        outlet=request.basket.outlet,
        request_id=request.request_id,
        tier_before=tier,
        tier_after=tier,
    )


def after_earn(book: LockedBook, header: Header, settings: Configuration, *, awarded: bool) -> None:
    """Let an earn be the activity that it is, for policies of expiry and for the stage."""
    if awarded or any(each.zero_earn_is_activity for each in settings.point_types.values()):
        checks.note_activity(book.book, settings, header)
    assert book.book.posted_at is not None
    _revive(book, book.book.posted_at)


def cost(basket: Basket) -> int:
    """Return what the lines of a basket cost after discounts, in its minor units.

    :raises ValidationFailed: if the basket contradicts itself.
    """
    try:
        return cost_of(basket)
    except BasketInvalid as error:
        raise ValidationFailed([FieldError(error.pointer, "OUT_OF_RANGE", str(error))]) from None


def checked_purchase(
    basket: Basket, products: Mapping[str, Product], partner: str, settings: Configuration
) -> Purchase:
    """Return the basket as the engine evaluates it, its contradictions as refusals."""
    rate = settings.rate_of(basket.currency, basket.occurred_at)
    try:
        purchase = purchase_of(
            basket,
            products,
            partner=partner,
            zone=settings.zone,
            counting=counting_of(settings.basis),
        )
    except BasketInvalid as error:
        raise ValidationFailed([FieldError(error.pointer, "OUT_OF_RANGE", str(error))]) from None
    except TendersDiffer as error:
        raise TendersMismatch(tenders=error.tenders, lines=error.lines) from None
    if basket.currency != settings.currency:
        purchase = in_currency(purchase, settings.currency, rate)
    worth = worth_of(settings, snapshot_of(settings).values_points, basket.occurred_at)
    return msgspec.structs.replace(purchase, worth=worth) if worth else purchase


def counting_of(basis: Basis) -> Counting:
    """Return the programme's settings on what counts, as the engine takes them."""
    return Counting(
        tax=basis.tax,
        basket_discount_lowers_lines=basis.basket_discount_lowers_lines,
        not_earning=basis.not_earning,
        not_tenders=frozenset() if basis.points_paid else frozenset({"POINTS"}),
    )


def _revive(book: LockedBook, at: datetime) -> None:
    """Make an EXPIRED member ACTIVE again: an earn is what the stage waited for."""
    if book.member.stage == Member.Stage.EXPIRED and book.locked:
        change_stage(book.member.id, Member.Stage.ACTIVE, by=Actor.system("earn"), at=at)
        book.member.stage = Member.Stage.ACTIVE


_STORED_RESULT = "SELECT result::text FROM promotions_evaluation WHERE transaction_id = %s"


def stored_result(transaction_id: UUID) -> dict[str, Any]:
    """Return the stored result of an evaluation, as the first answer was made from."""
    row = execute(_STORED_RESULT, (transaction_id,))
    result: dict[str, Any] = msgspec.json.decode(row[0])
    return result
