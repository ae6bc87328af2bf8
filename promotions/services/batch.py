"""Several earns and redemptions in one commit, each with its own outcome.

The unit takes all its books first, in key order. What it cannot post leaves it and runs alone
after it: a replay, a refusal, any other operation, and (so that a member's order is kept) what
follows for the same member. If the unit is lost to a race, everything runs alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from ledger.kernel.book import Transaction
from ledger.queries import references
from ledger.queries.books import CardFacts, Lots, execute
from ledger.queries.configuration import configuration
from ledger.services import posting, redemption
from ledger.services.posting import LockedBook
from ledger.services.redemption import RedemptionRequest
from loyalty.errors import Conflict, LoyaltyError, ValidationFailed
from loyalty.services.use_case import use_case
from members.queries.providers import in_stored_form
from promotions.engine.basket import Product
from promotions.engine.evaluate import evaluate
from promotions.queries import products_by_sku
from promotions.services import earning, facts
from promotions.services.awarding import asked_of, carries, recording
from promotions.services.budgets import SharedPurse, Till, UnitIsShort, Want, wants_of
from promotions.services.earning import Earned, EarnRequest
from promotions.services.facts import Known, Left
from promotions.services.rewarding.rewards import Record
from promotions.services.snapshot import snapshot_of
from promotions.services.tiers import standings, tiering
from promotions.services.tiers.standings import Standing

Request = EarnRequest | RedemptionRequest


@dataclass(slots=True)
class Outcome:
    """What the unit posted of one request: its book as it then stood, and the draft."""

    book: LockedBook
    transaction: Transaction
    result: dict[str, Any] | None = None


@dataclass(slots=True)
class _Unit:
    books: dict[int, LockedBook]
    standings: dict[int, Standing]
    owners: list[int | None]
    cards: Mapping[str, CardFacts]
    products: Mapping[str, Product]
    known: set[tuple[str, str]]
    members: dict[int, Known]
    purse: SharedPurse = field(default_factory=lambda: SharedPurse(Till()))
    records: list[Record] = field(default_factory=list)


def post_together(requests: Sequence[Request | None], *, at: datetime) -> dict[int, Outcome]:
    """Post what can be posted of `requests` in one commit; return the outcomes by place.

    A place without an outcome (None among the requests, too) is to be run alone, in order.
    """
    try:
        return _post(requests, at=at)
    except (Conflict, ValidationFailed):
        # Another call took a reference meanwhile, or one came to more than the books can hold:
        # nothing of the unit was written.
        return {}


@use_case
def _post(requests: Sequence[Request | None], *, at: datetime) -> dict[int, Outcome]:
    unit = _open(requests, at)
    _claim_budgets(unit, requests)
    outcomes: dict[int, Outcome] = {}
    left_alone: set[int] = set()
    for place, (request, owner) in enumerate(zip(requests, unit.owners, strict=True)):
        if owner is None or owner in left_alone:
            continue
        outcome = _try(unit, request, unit.books[owner], at)
        if outcome is None:
            left_alone.add(owner)
        else:
            outcomes[place] = outcome
    alongside = [
        *recording([*unit.records, *standings.records_of(unit.standings.values())], unit.purse),
        *standings.record_of(unit.standings.values()),
    ]
    posting.write_many(unit.books.values(), alongside=alongside)
    return outcomes


def _open(requests: Sequence[Request | None], at: datetime) -> _Unit:
    """Lock every book in key order, and read what the requests need. Five statements in all.

    One more reads the members' facts, where promotions ask for any.
    """
    named = [in_stored_form(request.member) if request else {} for request in requests]
    row = execute(
        "SELECT array_agg(ledger_resolve(r) ORDER BY place)"
        " FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS m (r, place)",
        (msgspec.json.encode(named).decode(),),
    )
    owners: list[int | None] = list(row[0] or [])
    spends = any(isinstance(request, RedemptionRequest) for request in requests)
    wanted = [owner for owner in owners if owner is not None]
    books = posting.lock_many(wanted, at=at, lots=Lots.ALL if spends else Lots.DUE)
    # A merge may have finished while we waited: such a member's requests run alone.
    owners = [owner if owner in books else None for owner in owners]
    return _Unit(
        books,
        _standings(requests, owners, books),
        owners,
        _cards(named),
        _products(requests),
        _known(requests),
        _members(books, requests, at),
    )


def _known(requests: Sequence[Request | None]) -> set[tuple[str, str]]:
    """Return the kinds and references of what was posted before; one call is one partner's."""
    wanted = [request for request in requests if request is not None]
    if not wanted:
        return set()
    return set(references.posted(wanted[0].partner_id, [each.reference for each in wanted]))


def _members(
    books: Mapping[int, LockedBook], requests: Sequence[Request | None], at: datetime
) -> dict[int, Known]:
    """Return what promotions ask of the members, as it stands under their locks."""
    instants = {r.basket.occurred_at for r in requests if isinstance(r, EarnRequest)}
    if not instants or not books:
        return {}
    settings = configuration(next(iter(books.values())).epoch)
    asked = asked_of(settings, snapshot_of(settings), instants)
    return facts.read_many(books, asked, at=at) if asked else {}


def _claim_budgets(unit: _Unit, requests: Sequence[Request | None]) -> None:
    """Claim at once what the unit's purchases may want of budgets, in lock order.

    Each is evaluated as if it were alone, so that together they claim enough; what they do not
    need goes back with the write. Nothing is asked where no promotion has a budget.
    """
    if not unit.books:
        return
    settings = configuration(next(iter(unit.books.values())).epoch)
    snapshot = snapshot_of(settings)
    if not snapshot.counts_programme:
        return
    wants: list[Want] = []
    for request, owner in zip(requests, unit.owners, strict=True):
        if owner is None or not isinstance(request, EarnRequest):
            continue
        try:
            purchase = earning.checked_purchase(
                request.basket, unit.products, request.partner_code, settings
            )
        except LoyaltyError:
            continue
        member = unit.members.get(owner, Known.nothing())
        left = Left(snapshot, member, purchase)
        asked = facts.facts_of(
            unit.books[owner],
            member,
            snapshot,
            tier=unit.standings[owner].held.tier,
            carries=carries(settings, snapshot),
        )
        found = evaluate(purchase, asked, snapshot, ceilings=left)
        wants.extend(wants_of(found, snapshot, left).values())
    unit.purse.fill(wants)


def _standings(
    requests: Sequence[Request | None],
    owners: Sequence[int | None],
    books: Mapping[int, LockedBook],
) -> dict[int, Standing]:
    """Return where the members stand whose earns the unit holds; nothing is read without any."""
    earns = {
        owner: request.basket.occurred_at
        for request, owner in zip(requests, owners, strict=True)
        if isinstance(request, EarnRequest) and owner is not None
    }
    if not earns:
        return {}
    settings = configuration()
    first_day = tiering.local_day(min(earns.values()), settings)
    mine = [books[owner] for owner in earns]
    return standings.standings_of(mine, settings, first_day=first_day)


def _cards(named: Sequence[Mapping[str, Any]]) -> dict[str, CardFacts]:
    numbers = [each["card"] for each in named if "card" in each]
    if not numbers:
        return {}
    row = execute(
        "SELECT coalesce(json_object_agg(number, json_build_object('number', number, 'status',"
        " status, 'reported_at', reported_at)), '{}')::text"
        " FROM members_card WHERE number = ANY (%s)",
        (numbers,),
    )
    return msgspec.json.decode(row[0], type=dict[str, CardFacts])


def _products(requests: Sequence[Request | None]) -> dict[str, Product]:
    skus = {
        line.sku
        for request in requests
        if isinstance(request, EarnRequest)
        for line in request.basket.lines
        if line.sku is not None
    }
    return products_by_sku(skus)


def _try(unit: _Unit, request: Request | None, book: LockedBook, at: datetime) -> Outcome | None:
    """Draft one request on its book; None, and the book as it was, if it cannot be."""
    kind = "EARN" if isinstance(request, EarnRequest) else "REDEMPTION"
    if request is None or (kind, request.reference) in unit.known:
        return None
    unit.known.add((kind, request.reference))
    standing = unit.standings.get(book.member.id)
    before = book.book.copied(), standing.copied() if standing else None
    book.card = unit.cards.get(request.member.get("card", ""))
    try:
        if isinstance(request, EarnRequest):
            assert standing is not None
            known = unit.members.setdefault(book.book.member_id, Known.nothing())
            drafted, _, record = earning.post_earn(
                book,
                standing,
                request,
                at=at,
                known=known,
                purse=unit.purse,
                products=unit.products,
            )
            unit.records.append(record)
            return Outcome(book, drafted, record.result)
        return Outcome(book, redemption.post_redemption(book, request, at=at))
    except (LoyaltyError, UnitIsShort):
        book.book = before[0]
        if before[1] is not None:
            unit.standings[book.member.id] = before[1]
        return None


def earned_of(outcome: Outcome) -> Earned:
    """Return the outcome of an earn as Earn itself returns it."""
    assert outcome.result is not None
    return Earned(outcome.book, outcome.transaction, outcome.result)
