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

from ledger.kernel.book import Header, Kind, Transaction, begin, finish
from ledger.kernel.dates import available_at, expires_at, parse_policy
from ledger.kernel.postings import Grant, grant
from ledger.queries.books import Earlier, execute
from ledger.queries.configuration import Configuration, cached_configuration, configuration
from ledger.services import checks, posting
from ledger.services.posting import Alongside, Find, LockedBook
from loyalty.caller import Actor
from loyalty.errors import FieldError, ValidationFailed
from loyalty.services.use_case import use_case
from members.models import Member
from members.services.stage import change_stage
from promotions.engine import ENGINE_VERSION
from promotions.engine.basket import Basket, BasketInvalid, Product, TendersDiffer, purchase_of
from promotions.engine.evaluate import evaluate
from promotions.engine.money import to_text
from promotions.engine.types import Award, Evaluation, MemberFacts, Purchase
from promotions.errors import CurrencyHasNoRate, TendersMismatch
from promotions.services import overrides, standings, tiering
from promotions.services.snapshot import snapshot_of
from promotions.services.standings import Standing


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
    :raises TendersMismatch, CurrencyHasNoRate, ValidationFailed: if the basket is not one.
    :raises ReferenceConflict: if the reference names another purchase.
    """
    find = Find(request.partner_id, Kind.EARN, request.reference)
    facts = [
        products_of(request.basket),
        standings.beside_lock(
            request.member, cached_configuration(), at=at, occurred_at=request.basket.occurred_at
        ),
    ]
    book = posting.lock(request.member, at=at, find=find, alongside=facts)
    if earlier := posting.replayed(book, request.digest):
        return Earned(book, None, stored_result(earlier.id), earlier=earlier)
    standing = standings.standing_of(book, configuration(book.epoch))
    transaction, evaluation, record = post_earn(book, standing, request, at=at)
    recorded = Alongside("promotions_record", encode_records([record]))
    posting.write(book, alongside=[recorded, *standings.record_of([standing])])
    return Earned(book, transaction, record["result"], evaluation)


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
    products: Mapping[str, Product] | None = None,
) -> tuple[Transaction, Evaluation, dict[str, Any]]:
    """Settle, check, evaluate and draft one earn on a locked book; a step, nothing is written.

    Returns the draft, its evaluation, and the record of it to be stored with the posting. The
    purchase is evaluated with the tier before it, and may lift the member above it.
    `products` are those of the basket where they were not read beside the book.
    """
    assert connection.in_atomic_block
    settings = configuration(book.epoch)
    posting.settle(book)
    checks.may_earn(book)
    basket = request.basket
    checks.card_works(book, settings, basket.occurred_at)
    checks.outlet_known(settings, request.partner_id, basket.outlet)
    checks.in_time(settings, basket.occurred_at, at, offline=request.offline)
    if products is None:
        products = _decode_products(book.facts.get("promotions_products", "{}"))
    purchase = checked_purchase(basket, products, request.partner_code, settings)
    overrides.catch_up(standing, book)
    tier = standing.held.tier
    facts = MemberFacts(tier=tier, stage=book.member.stage)
    evaluation = evaluate(purchase, facts, snapshot_of(settings))
    spend = sum(line.net for line in purchase.lines)

    header = Header(
        kind=Kind.EARN,
        partner_id=request.partner_id,
        occurred_at=basket.occurred_at,
        reference=request.reference,
        digest=request.digest,
        amount=to_text(spend, basket.currency),
        currency=basket.currency,
        outlet=basket.outlet,
        request_id=request.request_id,
        tier_before=tier,
        tier_after=tier,
    )
    transaction = begin(book.book, header)
    awards = dated_awards(evaluation.awards, basket.occurred_at, transaction.posted_at, settings)
    grant(book.book, transaction, _grants(awards, request.partner_id, settings))
    finish(book.book, transaction)
    tiering.count_sale(standing, book, transaction, spend=spend)
    if awards or any(each.zero_earn_is_activity for each in settings.point_types.values()):
        checks.note_activity(book.book, settings, header)
    _revive(book, transaction.posted_at)
    record = {
        "transaction_id": transaction.id,
        "member_id": book.book.member_id,
        "inputs": {"purchase": purchase, "member": facts},
        "result": result_of(evaluation, awards),
        "engine_version": ENGINE_VERSION,
    }
    return transaction, evaluation, record


def checked_purchase(
    basket: Basket, products: Mapping[str, Product], partner: str, settings: Configuration
) -> Purchase:
    """Return the basket as the engine evaluates it, its contradictions as refusals."""
    if basket.currency != settings.currency:
        raise CurrencyHasNoRate(currency=basket.currency)
    try:
        return purchase_of(basket, products, partner=partner, zone=settings.zone)
    except BasketInvalid as error:
        raise ValidationFailed([FieldError(error.pointer, "OUT_OF_RANGE", str(error))]) from None
    except TendersDiffer as error:
        raise TendersMismatch(tenders=error.tenders, lines=error.lines) from None


class DatedAward(msgspec.Struct, frozen=True):
    """An award with the dates and the policy of the lot it becomes a part of."""

    award: Award
    state: str
    available_at: datetime
    expires_at: datetime | None
    expiry: str


def dated_awards(
    awards: tuple[Award, ...], occurred_at: datetime, posted_at: datetime, settings: Configuration
) -> list[DatedAward]:
    """Return awards with their dates: from `occurred_at`, by the promotion or the point type."""
    dated = []
    for award in awards:
        expiry = settings.point_type(award.type).expiry if award.expiry is None else award.expiry
        policy = parse_policy(expiry)
        available = available_at(occurred_at, award.pending, settings.zone)
        anchor = available if policy and policy.anchor == "AVAILABLE" else occurred_at
        state = "PENDING" if available > posted_at else "AVAILABLE"
        until = expires_at(anchor, policy, settings.zone)
        dated.append(DatedAward(award, state, available, until, expiry))
    return dated


def _grants(awards: list[DatedAward], partner_id: int, settings: Configuration) -> list[Grant]:
    """Return a grant for each promotion version and type; the split by line is in the record."""
    grants: dict[tuple[int, str], Grant] = {}
    for each in awards:
        key = (each.award.version_id, each.award.type)
        if known := grants.get(key):
            known.points += each.award.points
            continue
        grants[key] = Grant(
            point_type=settings.point_type(each.award.type).id,
            points=each.award.points,
            partner_id=partner_id,
            available_at=each.available_at,
            expires_at=each.expires_at,
            expiry=each.expiry,
            promotion_version=each.award.version_id,
        )
    return list(grants.values())


def _revive(book: LockedBook, at: datetime) -> None:
    """Make an EXPIRED member ACTIVE again: an earn is what the stage waited for."""
    if book.member.stage == Member.Stage.EXPIRED:
        change_stage(book.member.id, Member.Stage.ACTIVE, by=Actor.system("earn"), at=at)
        book.member.stage = Member.Stage.ACTIVE


def result_of(evaluation: Evaluation, awards: list[DatedAward]) -> dict[str, Any]:
    """Return what is stored of an evaluation: enough to answer a replay by itself."""
    return {
        "awards": [
            {
                "version_id": each.award.version_id,
                "promotion": each.award.promotion,
                "version": each.award.version,
                "line": each.award.line,
                "type": each.award.type,
                "points": each.award.points,
                "state": each.state,
                "available_at": each.available_at,
                "expires_at": each.expires_at,
            }
            for each in awards
        ],
        "near_misses": evaluation.near_misses,
        "coupons": evaluation.coupons,
    }


_STORED_RESULT = "SELECT result::text FROM promotions_evaluation WHERE transaction_id = %s"


def stored_result(transaction_id: UUID) -> dict[str, Any]:
    """Return the stored result of an evaluation, as the first answer was made from."""
    row = execute(_STORED_RESULT, (transaction_id,))
    result: dict[str, Any] = msgspec.json.decode(row[0])
    return result


def encode_records(records: list[dict[str, Any]]) -> bytes:
    """Return evaluation records as the JSON document that `promotions_record` stores."""
    return msgspec.json.encode(records)
