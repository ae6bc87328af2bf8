"""All Transaction: returns, vouchers, benefits, points to burn and a purchase, in one unit.

Everything is decided first, on a book that was locked or only read, and only then written. So an
evaluation answers what a commit would: it is the same code, and PostgreSQL refuses it any write.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import uuid_utils.compat
from django.db import connection

from ledger.kernel.book import Header, Kind, Transaction
from ledger.queries.books import Earlier, OpenBook, execute, read
from ledger.queries.cards import card_facts
from ledger.queries.configuration import Configuration, cached_configuration, configuration
from ledger.queries.history import posted_of_draft
from ledger.services import checks, posting
from ledger.services.burning import draft_redemption
from ledger.services.checks import StepUpNeeded
from ledger.services.posting import Find, LockedBook
from loyalty.errors import LoyaltyError
from loyalty.services.use_case import looking, use_case
from promotions.engine.basket import Product
from promotions.engine.types import Evaluation
from promotions.queries import products_by_sku
from promotions.services import earning, facts
from promotions.services.awarding import asked_of, recording
from promotions.services.budgets import OnlyLooking, Till
from promotions.services.calls.composite_returns import draft_returns
from promotions.services.calls.composite_unit import CompositeRequest, Unit
from promotions.services.calls.parts import told_of_parts
from promotions.services.calls.payment import (
    Bill,
    DraftedBurn,
    DraftedVoucher,
    decide_burn,
    draft_vouchers,
    paid_basket,
)
from promotions.services.returns import DraftedReturn
from promotions.services.rewarding.rewards import Record
from promotions.services.snapshot import snapshot_of
from promotions.services.tiers import overrides, standings
from vouchers.queries.benefits import Holder
from vouchers.services import authentication, benefits
from vouchers.services.authentication import AtTill
from vouchers.services.benefits import BenefitRequest


@dataclass(frozen=True, slots=True)
class Drafted:
    """What a call comes to. `told` is what is answered beside the earn, and kept with it."""

    earn: Transaction
    evaluation: Evaluation
    record: Record
    returns: list[DraftedReturn]
    vouchers: list[DraftedVoucher]
    benefits: list[tuple[BenefitRequest, UUID]]
    holder: Holder
    told: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Composite:
    """A call that was posted, or (`earlier`) had been before; `result` is its evaluation."""

    book: LockedBook
    transaction: Transaction | None
    result: dict[str, Any]
    told: dict[str, Any]
    earlier: Earlier | None = None


@use_case
def post_composite(request: CompositeRequest, *, at: datetime) -> Composite:
    """Post a call as one unit: a RETURN for each return, one REDEMPTION, and always an EARN.

    In this order: returns, vouchers and benefits, burn, earn on what is left to pay. Sent again,
    it posts nothing and answers the first outcome. Lock order: book, counters, vouchers by id.

    :raises ReferenceConflict: if the reference names another call or posting.
    :raises LoyaltyError: whatever refuses a part refuses the whole.
    """
    earn = request.earn
    basket = earn.basket
    wanted = earning.asked_before(basket.occurred_at)
    book = posting.lock(
        earn.member,
        at=at,
        find=Find(earn.partner_id, Kind.EARN, earn.reference),
        lots=request.lots,
        alongside=[
            earning.products_of(basket),
            standings.beside_lock(
                earn.member, cached_configuration(), at=at, occurred_at=basket.occurred_at
            ),
            *facts.alongside(earn.member, wanted, at=at),
        ],
    )
    if earlier := posting.replayed(book, earn.digest):
        return Composite(
            book, None, earning.stored_result(earlier.id), told_of(earlier.id), earlier
        )
    settings = configuration(book.epoch)
    asked = asked_of(settings, snapshot_of(settings), [basket.occurred_at])
    known, till = facts.known(book, asked, wanted), Till()
    unit = Unit(book, settings, standings.standing_of(book, settings), known, till, at)
    drafted = _draft(unit, request)
    records = recording([drafted.record, *unit.standing.records], till)
    posting.write(book, alongside=[*records, *standings.record_of([unit.standing])])
    _use_what_was_decided(unit, drafted)
    return Composite(book, drafted.earn, drafted.record.result, drafted.told)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a call would come to. `step_up` is what a commit would ask the member to agree to."""

    book: OpenBook
    drafted: Drafted
    settings: Configuration
    step_up: StepUpNeeded | None


def evaluate_composite(request: CompositeRequest, *, at: datetime) -> Looked:
    """Return what `post_composite` would post now, for a member; nothing is written or locked.

    No step-up is asked for or used up.

    :raises LoyaltyError: what a commit would be refused for.
    """
    earn = request.earn
    basket = earn.basket
    with looking():
        book = LockedBook(read(earn.member, at=at, lots=request.lots))
        if "card" in earn.member:
            book.card = card_facts(earn.member["card"])
        settings = configuration(book.epoch)
        asked = asked_of(settings, snapshot_of(settings), [basket.occurred_at])
        known = facts.known(book, asked, None)
        standing = standings.standing_of(book, settings)
        unit = Unit(book, settings, standing, known, OnlyLooking(), at)
        products = products_by_sku(line.sku for line in basket.lines if line.sku is not None)
        drafted = _draft(unit, request, products)
        return Looked(book, drafted, settings, unit.step_up)


def _draft(
    unit: Unit, request: CompositeRequest, products: Mapping[str, Product] | None = None
) -> Drafted:
    """Decide everything, in order; a step. A book that is locked may be written in between.

    `products` are those of the basket, where they were not read beside the lock.
    """
    assert connection.in_atomic_block
    book, standing, basket = unit.book, unit.standing, request.earn.basket
    posting.settle(book)
    earning.check_earn(book, request.earn, unit.settings, unit.at)
    overrides.catch_up(standing, book)
    tier_of_call = standing.held.tier
    bill = Bill(basket.currency, earning.cost(basket))
    returns = draft_returns(unit, request, bill)
    holder = Holder(book.member.id, standing.held.tier, standing.held.since)
    till = AtTill(
        partner_id=request.earn.partner_id,
        outlet=basket.outlet,
        reference=request.earn.reference,
        member_id=book.member.id,
        sale=unit.sale,
    )
    vouchers = draft_vouchers(request.vouchers, till, bill, at=unit.at)
    had, benefits_told = _decide_benefits(unit, request, holder)
    burn = decide_burn(book, request.burns, request.spender, bill, unit.settings)
    paid = replace(request.earn, basket=paid_basket(basket, bill), sale=unit.sale)
    redemption = _draft_redemption(unit, request, burn, bill)
    earn, evaluation, record = earning.post_earn(
        book,
        standing,
        paid,
        at=unit.at,
        known=unit.known,
        purse=unit.purse,
        products=products,
        tier_of_call=tier_of_call,
    )
    drafts = [*(each.transaction for each in returns), *([redemption] if redemption else []), earn]
    parts = [posted_of_draft(each, book.book.member_id) for each in drafts]
    told = {
        "currency": bill.currency,
        "due": bill.text(bill.due),
        "to_pay": bill.text(bill.to_pay),
        "parts": told_of_parts(parts, unit.settings),
        "burned": burn.told,
        "vouchers": [each.told for each in vouchers],
        "benefits": benefits_told,
    }
    earn.header.data = {**(earn.header.data or {}), "call": told}
    return Drafted(earn, evaluation, record, returns, vouchers, had, holder, told)


def _decide_benefits(
    unit: Unit, request: CompositeRequest, holder: Holder
) -> tuple[list[tuple[BenefitRequest, UUID]], list[dict[str, Any]]]:
    """Decide which benefits are had, and what is left of them.

    :raises BenefitNotFound, NotEligible, QuotaEmpty: see `benefits.judge`.
    """
    had, told = [], []
    for place, (code, quantity) in enumerate(request.benefits):
        wanted = BenefitRequest(
            benefit=code,
            partner_id=request.earn.partner_id,
            by=request.by,
            quantity=quantity,
            outlet=request.earn.basket.outlet,
            reference=request.earn.reference,
        )
        try:
            found = benefits.may_avail(holder, unit.book.member.stage, wanted, at=unit.at)
        except LoyaltyError as refusal:
            refusal.extra.setdefault("pointer", f"/benefits/{place}")
            raise
        use = uuid_utils.compat.uuid7()
        had.append((wanted, use))
        left = None if found.left is None else found.left - quantity
        told.append({"code": code, "quantity": quantity, "use": str(use), "left": left})
    return had, told


def _draft_redemption(
    unit: Unit, request: CompositeRequest, burn: DraftedBurn, bill: Bill
) -> Transaction | None:
    """Draft the one redemption of all that is burned; None where nothing is.

    :raises StageForbids, CardBlocked, StepUpRequired, StepUpInvalid: as a redemption.
    """
    if not burn.parts:
        return None
    book, settings, earn = unit.book, unit.settings, request.earn
    checks.may_redeem(book)
    checks.card_works(book, settings, earn.basket.occurred_at, spends=True)
    if book.locked:
        checks.stepped_up(
            book,
            settings,
            burn.parts,
            request.spender,
            request.step_up,
            reference=earn.reference,
        )
    else:
        unit.step_up = checks.step_up_needed(book, settings, burn.parts, request.spender)
    locks = [part.burn.lock for part in burn.parts]
    header = Header(
        kind=Kind.REDEMPTION,
        partner_id=earn.partner_id,
        occurred_at=earn.basket.occurred_at,
        reference=earn.reference,
        digest=earn.digest,
        sale=unit.sale,
        lock=locks[0] if len(locks) == 1 else None,
        amount=bill.text(bill.by_points),
        currency=bill.currency,
        outlet=earn.basket.outlet,
        purpose="PAYMENT",
        request_id=earn.request_id,
        data={"burned": burn.told},
    )
    transaction = draft_redemption(book, header, burn.parts, burn.credit)
    checks.note_activity(book.book, settings, header)
    return transaction


def _use_what_was_decided(unit: Unit, drafted: Drafted) -> None:
    """Write the uses of vouchers, locked by id and judged once more, and of benefits; a step."""
    for each in sorted(drafted.vouchers, key=lambda drafted: drafted.voucher.pk):
        authentication.use(authentication.locked(each.voucher.pk), each.till, at=unit.at)
    for wanted, use in drafted.benefits:
        benefits.avail(unit.book, wanted, use, at=unit.at, holder=drafted.holder)


def told_of(transaction_id: UUID) -> dict[str, Any]:
    """Return what a call's earn keeps of the whole call."""
    row = execute(
        "SELECT (data -> 'call')::text FROM ledger_transaction WHERE id = %s", (transaction_id,)
    )
    told: dict[str, Any] = msgspec.json.decode(row[0])
    return told
