"""Items that come back of a purchase that nobody can name."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from ledger.kernel.book import Bucket, Header, Kind, Transaction, begin, finish
from ledger.kernel.postings import take
from ledger.queries.books import Lots
from ledger.queries.configuration import Configuration, configuration
from ledger.services import checks, posting
from ledger.services.posting import Alongside, Find, LockedBook
from ledger.services.reversal import reversed_by_lot
from loyalty.models import Program
from loyalty.services.use_case import use_case
from promotions.engine import ENGINE_VERSION
from promotions.engine.basket import Basket, Product
from promotions.engine.evaluate import evaluate
from promotions.engine.types import Award, Evaluation, MemberFacts, Purchase
from promotions.errors import OriginalNeeded
from promotions.services import facts
from promotions.services.awarding import asked_of, award_row, dated_awards
from promotions.services.earning import checked_purchase, products_of, stored_result
from promotions.services.returns import ReturnedItems
from promotions.services.snapshot import snapshot_of

Policy = Program.ReturnsWithoutOriginal


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindReturnRequest:
    """Items that a member brings back, as a purchase of them would be; without its original."""

    member: dict[str, Any]
    partner_id: int
    partner_code: str
    reference: str
    digest: bytes
    basket: Basket
    reason: str | None = None
    request_id: str | None = None


@use_case
def return_unknown(request: BlindReturnRequest, *, at: datetime) -> ReturnedItems:
    """Take what base promotions would give for these items now; works in every stage.

    At most what the member has available of a point type, soonest-expiring first; the rest is
    forgiven. Limits, budgets and tiers stay as they are: nobody knows whose sale it was.

    :raises OriginalNeeded: if the programme takes no such returns.
    :raises OutletUnknown, TooOld, InFuture, NoRate, ValidationFailed: as an earn would.
    """
    find = Find(request.partner_id, Kind.RETURN, request.reference)
    products = products_of(request.basket)
    book = posting.lock(request.member, at=at, find=find, lots=Lots.ALL, alongside=[products])
    if earlier := posting.replayed(book, request.digest):
        return ReturnedItems(book, None, stored_result(earlier.id), earlier=earlier)
    settings = configuration(book.epoch)
    if settings.returns_without_original != Policy.BASE:
        raise OriginalNeeded
    posting.settle(book)
    checks.outlet_known(settings, request.partner_id, request.basket.outlet)
    checks.in_time(settings, request.basket.occurred_at, at)
    transaction, evaluation = _post(book, request, settings)
    document = {"evaluations": [evaluation], "counts": [], "unused": []}
    record = Alongside("promotions_record", msgspec.json.encode(document))
    posting.write(book, alongside=[record])
    return ReturnedItems(book, transaction, evaluation["result"])


def _post(
    book: LockedBook, request: BlindReturnRequest, settings: Configuration
) -> tuple[Transaction, dict[str, Any]]:
    """Draft the return; return it with the evaluation to be stored beside it."""
    assert connection.in_atomic_block
    purchase, member = _facts(book, request, settings)
    deserved = evaluate(purchase, member, snapshot_of(settings))
    header = Header(
        kind=Kind.RETURN,
        partner_id=request.partner_id,
        occurred_at=request.basket.occurred_at,
        reference=request.reference,
        digest=request.digest,
        outlet=request.basket.outlet,
        reason=request.reason,
        request_id=request.request_id,
        tier_before=member.tier,
        tier_after=member.tier,
    )
    transaction = begin(book.book, header)
    differences, shortfall = _take(book, transaction, deserved, settings)
    header.data = {
        "shortfall": shortfall,
        "lots": reversed_by_lot(transaction, book.book.lots),
    }
    finish(book.book, transaction)
    result = {
        "awards": differences,
        "deserved": [msgspec.structs.asdict(award) for award in deserved.awards],
        "near_misses": [],
        "coupons": [],
        "shortfall": shortfall,
        "kept": {"lines": []},
    }
    return transaction, {
        "transaction_id": transaction.id,
        "member_id": book.book.member_id,
        "inputs": {"purchase": purchase, "member": member},
        "result": result,
        "engine_version": ENGINE_VERSION,
    }


def _facts(
    book: LockedBook, request: BlindReturnRequest, settings: Configuration
) -> tuple[Purchase, MemberFacts]:
    """Return what is evaluated: the items as a purchase now, under base promotions alone."""
    known = book.facts.get("promotions_products", "{}")
    products = msgspec.json.decode(known, type=dict[str, Product])
    purchase = checked_purchase(request.basket, products, request.partner_code, settings)
    snapshot = snapshot_of(settings)
    asked = asked_of(settings, snapshot, [purchase.occurred_at])
    told = facts.known(book, asked, None)
    member = facts.facts_of(book, told, snapshot, tier=book.member.tier or "")
    return msgspec.structs.replace(purchase, base_only=True), member


def _take(
    book: LockedBook, transaction: Transaction, deserved: Evaluation, settings: Configuration
) -> tuple[list[dict[str, Any]], list[list[Any]]]:
    """Take the points back that there are; return the differences by award, and the shortfall."""
    differences: list[dict[str, Any]] = []
    missing: dict[int, int] = {}
    taken: dict[int, int] = {}
    for award in deserved.awards:
        point_type = settings.point_type(award.type).id
        left = book.book.account(point_type).available - taken.get(point_type, 0)
        points = min(award.points, left)
        if points < award.points:
            missing[point_type] = missing.get(point_type, 0) + award.points - points
        if points:
            taken[point_type] = taken.get(point_type, 0) + points
            differences.append(_row(award, -points, transaction, settings))
    for point_type, points in taken.items():
        take(book.book, transaction, point_type, points, Bucket.REVERSED)
    return differences, [[key, points, "FORGIVEN"] for key, points in missing.items()]


def _row(
    award: Award, points: int, transaction: Transaction, settings: Configuration
) -> dict[str, Any]:
    changed = msgspec.structs.replace(award, points=points)
    occurred_at, posted_at = transaction.header.occurred_at, transaction.posted_at
    return award_row(dated_awards([changed], occurred_at, posted_at, settings)[0])
