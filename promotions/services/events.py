"""Event Rewarding: something a member did that is no purchase, rewarded by promotions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from ledger.errors import BookMoved, TooOld
from ledger.kernel.book import Kind, Transaction, begin, finish
from ledger.models import Transaction as TransactionRow
from ledger.queries.books import Earlier, execute
from ledger.queries.configuration import Configuration, cached_configuration, configuration
from ledger.services import checks, posting
from ledger.services.posting import Alongside, Find, LockedBook
from loyalty.attributes import complete, validate
from loyalty.dates import start_of_day
from loyalty.errors import FieldError, MemberNotFound, ValidationFailed
from loyalty.services.use_case import use_case
from members.queries.providers import in_stored_form
from promotions.errors import EventSchemaViolation
from promotions.models import Evaluation
from promotions.queries.event_types import EventTypeFacts, event_types
from promotions.services import facts
from promotions.services.awarding import asked_of, recording
from promotions.services.budgets import Till
from promotions.services.claiming import enrolled_at
from promotions.services.earning import asked_before
from promotions.services.occasions import Bonus, Occasion, header_of, post_bonus
from promotions.services.snapshot import snapshot_of
from promotions.services.tiers import overrides, standings, tiering
from promotions.services.tiers.standings import Standing
from promotions.services.tiers.tier_rewards import reward_move

REFERRED, REFERRER = "REFERRED", "REFERRER"
NOTHING: dict[str, Any] = {"awards": [], "near_misses": [], "coupons": []}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRequest:
    """An event, as a partner or the programme sent it. `related` is what it was about."""

    member: dict[str, Any]
    referrer: dict[str, Any] | None
    partner_id: int
    partner_code: str
    house: bool
    type: str
    reference: str
    digest: bytes
    occurred_at: datetime
    attributes: Mapping[str, Any]
    related: Mapping[str, str] | None = None
    outlet: str | None = None
    channel: str | None = None
    request_id: str | None = None


class Cooldown(msgspec.Struct, frozen=True):
    """Why other events of the type are not rewarded, and until when; `blocked` if this one was."""

    blocked: bool
    reason: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class ReferrerSide:
    """What the referrer got: a posting of its own."""

    transaction_id: UUID
    member_id: int
    effects: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Rewarded:
    """An event that was posted, or (`earlier`) had been before; `result` is what is stored."""

    book: LockedBook
    transaction: Transaction | None
    result: dict[str, Any]
    referrer: ReferrerSide | None = None
    earlier: Earlier | None = None


@use_case
def reward_event(request: EventRequest, *, at: datetime) -> Rewarded:
    """Post what an event of a member earns; `at` is now. Two statements, or five with a referrer.

    Sent again, it posts nothing and returns the first outcome. While an earlier event of the type
    keeps others off, it is taken, gives nothing and says until when; it does not count itself.
    An event that gave nothing keeps none off.

    :raises EventSchemaViolation: if the type is not there for the caller, or attributes are wrong.
    :raises StageForbids, CardBlocked, OutletUnknown, TooOld, InFuture: see `ledger.checks`.
    :raises ReferenceConflict: if the reference names another event.
    """
    wanted = asked_before(request.occurred_at)
    book, other = _lock(request, wanted, at)
    if earlier := posting.replayed(book, request.digest):
        return _earlier(book, earlier)
    settings = configuration(book.epoch)
    for each in (book, other):
        if each is not None:
            posting.settle(each)
    kind, occasion = _checked(book, other, request, settings, at)
    cooldown = _blocked(kind, _near(book), request.occurred_at, settings)
    told = {"type": kind.code, "role": REFERRED if other else None, "related": request.related}
    if cooldown is not None:
        return _keep_off(book, other, occasion, {**told, "cooldown": cooldown}, settings)
    asked = asked_of(settings, snapshot_of(settings), [request.occurred_at])
    sides = [_Side(book, standings.standing_of(book, settings), occasion)]
    if other is not None:
        own = _of_referrer(occasion)
        sides.append(_Side(other, standings.standing_of(other, settings), own))
    till = Till()
    given = [_give(each, till, facts.known(each.book, asked, wanted)) for each in sides]
    moved = [each.standing for each in sides]
    records = [*(each.record for each in given if each.record), *standings.records_of(moved)]
    recorded = recording(records, till)  # Issues vouchers: only now is it known what was given.
    transaction, side = _tell(given, kind, told, settings)
    rewarded = [] if _gave_nothing(given) else [_note(book, transaction, kind)]
    posting.write_many(
        [each.book for each in sides],
        alongside=[*recorded, *rewarded, *standings.record_of(moved)],
    )
    assert given[0].record is not None
    referrer = None
    if other is not None and side is not None:
        effects = [msgspec.structs.asdict(each) for each in side.effects]
        referrer = ReferrerSide(side.id, other.book.member_id, effects)
    return Rewarded(book, transaction, given[0].record.result, referrer)


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of an event under way."""

    book: LockedBook
    standing: Standing
    occasion: Occasion


def _keep_off(
    book: LockedBook,
    other: LockedBook | None,
    occasion: Occasion,
    told: dict[str, Any],
    settings: Configuration,
) -> Rewarded:
    """Post an event that is kept off: nothing, so that it is known when it comes again."""
    standing = standings.standing_of(book, settings)
    overrides.catch_up(standing, book)
    transaction = finish(book.book, begin(book.book, header_of(occasion, standing.held.tier)))
    transaction.header.data = {**(transaction.header.data or {}), "event": told}
    standings.write([book, other] if other else [book], [standing])
    return Rewarded(book, transaction, NOTHING)


def _lock(
    request: EventRequest, wanted: dict[str, Any] | None, at: datetime
) -> tuple[LockedBook, LockedBook | None]:
    """Lock the books of the event, in key order, and read beside them what it needs."""
    find = Find(request.partner_id, Kind.BONUS, request.reference)

    def lock(member: dict[str, Any]) -> LockedBook:
        question = {
            "member": in_stored_form(member),
            "event": request.type,
            "at": request.occurred_at,
        }
        return posting.lock(
            member,
            at=at,
            find=find,
            alongside=[
                standings.beside_lock(
                    member, cached_configuration(), at=at, occurred_at=request.occurred_at
                ),
                Alongside("promotions_events_near", msgspec.json.encode(question)),
                *facts.alongside(member, wanted, at=at),
            ],
        )

    if request.referrer is None:
        return lock(request.member), None
    people = [request.member, request.referrer]
    ids = _resolved(people)
    if ids[0] == ids[1]:
        message = "Nobody refers themselves."
        raise ValidationFailed([FieldError("/referrer", "INVALID", message)])
    first, last = sorted((0, 1), key=lambda place: ids[place])
    books = {first: lock(people[first]), last: lock(people[last])}
    if [books[0].member.id, books[1].member.id] != ids:
        raise BookMoved
    return books[0], books[1]


def _resolved(people: list[dict[str, Any]]) -> list[int]:
    """Return the ids of members by their references. One statement.

    :raises MemberNotFound: if a reference names nobody.
    """
    references = msgspec.json.encode([in_stored_form(each) for each in people]).decode()
    row = execute(
        "SELECT array_agg(ledger_resolve(r) ORDER BY place)"
        " FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS m (r, place)",
        (references,),
    )
    if None in row[0]:
        raise MemberNotFound
    return list(row[0])


def _checked(
    book: LockedBook,
    other: LockedBook | None,
    request: EventRequest,
    settings: Configuration,
    at: datetime,
) -> tuple[EventTypeFacts, Occasion]:
    """Return the event's type, and the event as promotions see it; refuse what may not be."""
    kind = _type_of(request, settings)
    if faults := validate(kind.schema, request.attributes):
        raise EventSchemaViolation(faults)
    for each in (book, other):
        if each is not None:
            checks.may_earn(each)
            checks.card_works(each, settings, request.occurred_at)
    checks.outlet_known(settings, request.partner_id, request.outlet)
    checks.in_time(settings, request.occurred_at, at)
    # A till's clock may run behind ours, by as much as it may run ahead.
    joined = enrolled_at(book, settings, request.occurred_at)
    earliest = joined - settings.future_tolerance
    if not kind.backdated:
        today = start_of_day(at.astimezone(settings.zone).date(), settings.zone)
        earliest = max(earliest, min(today, at - settings.future_tolerance))
    if request.occurred_at < earliest:
        raise TooOld(accepted_from=earliest)
    attributes = complete(kind.schema, request.attributes)
    if other is not None:
        attributes["role"] = REFERRED
    return kind, Occasion(
        trigger="EVENT",
        event=kind.code,
        occurred_at=request.occurred_at,
        partner_id=request.partner_id,
        partner_code=request.partner_code,
        attributes=attributes,
        outlet=request.outlet,
        channel=request.channel,
        reference=request.reference,
        digest=request.digest,
        request_id=request.request_id,
    )


def _type_of(request: EventRequest, settings: Configuration) -> EventTypeFacts:
    """:raises EventSchemaViolation: if there is no such type, or it is not the caller's to send."""
    kind = event_types(settings).get(request.type)
    named = kind is not None and bool(kind.partners)
    if (
        kind is None
        or kind.own
        or (named and not request.house and request.partner_id not in kind.partners)
    ):
        message = "There is no such event type."
        raise EventSchemaViolation([FieldError("/type", "UNKNOWN", message)])
    if request.referrer is not None and not kind.two_sided:
        message = "Events of this type have no second side."
        raise EventSchemaViolation([FieldError("/referrer", "NOT_HERE", message)])
    return kind


class _Near(msgspec.Struct):
    """The rewarded events of the type that lie next to an instant."""

    before: datetime | None = None
    after: datetime | None = None


_decode_near = msgspec.json.Decoder(_Near).decode


def _near(book: LockedBook) -> _Near:
    return _decode_near(book.facts["promotions_events_near"])


def _blocked(
    kind: EventTypeFacts, near: _Near, occurred_at: datetime, settings: Configuration
) -> Cooldown | None:
    """Return what keeps an event off: one rewarded before it, or after it where it comes late."""
    latest = near.after or near.before
    if latest is None:
        return None
    until = kind.rests_until(latest, settings.zone)
    for first, second in ((near.before, occurred_at), (occurred_at, near.after)):
        if first is None or second is None:
            continue
        rests = kind.rests_until(first, settings.zone)
        if rests is not None and (rests[1] is None or second < rests[1]):
            return Cooldown(True, rests[0], until[1] if until else None)
    return None


def _of_referrer(occasion: Occasion) -> Occasion:
    """Return the referrer's side of an event."""
    attributes = {**occasion.attributes, "role": REFERRER}
    fields = {name: getattr(occasion, name) for name in Occasion.__slots__}
    return Occasion(**{**fields, "attributes": attributes})


def _give(side: _Side, till: Till, known: facts.Known) -> Bonus:
    """Draft what one side gets, and count it towards tiers."""
    book, standing = side.book, side.standing
    overrides.catch_up(standing, book)
    tier = standing.held.tier
    bonus = post_bonus(book, side.occasion, purse=till, known=known, tier=tier)
    assert bonus.transaction is not None, "an event has a reference"
    tiering.add_bonus(standing, book, bonus.transaction)
    reward_move(standing, book, tier, purse=till)
    return bonus


def _gave_nothing(given: list[Bonus]) -> bool:
    results = [each.record.result for each in given if each.record]
    return not any(
        result["awards"] or any(row["quantity"] for row in result.get("rewards", ()))
        for result in results
    )


def _tell(
    given: list[Bonus],
    kind: EventTypeFacts,
    told: dict[str, Any],
    settings: Configuration,
) -> tuple[Transaction, Transaction | None]:
    """Write into each posting what it was for, and how long others are kept off; return them."""
    transaction = given[0].transaction
    side = given[1].transaction if len(given) > 1 else None
    assert transaction is not None
    occurred_at = transaction.header.occurred_at
    rests = None if _gave_nothing(given) else kind.rests_until(occurred_at, settings.zone)
    cooldown = Cooldown(False, *rests) if rests else None
    own = {**told, "cooldown": cooldown, "other": side.id if side else None}
    transaction.header.data = {**(transaction.header.data or {}), "event": own}
    if side is not None:
        side.header.part = 1
        data = {**told, "role": REFERRER, "cooldown": None, "other": transaction.id}
        side.header.data = {**(side.header.data or {}), "event": data}
    return transaction, side


def _note(book: LockedBook, transaction: Transaction, kind: EventTypeFacts) -> Alongside:
    """Return what notes that an event was rewarded."""
    row = {
        "transaction_id": transaction.id,
        "member_id": book.book.member_id,
        "event": kind.code,
        "occurred_at": transaction.header.occurred_at,
    }
    return Alongside("promotions_note_events", msgspec.json.encode({"rewarded": [row]}))


def _earlier(book: LockedBook, earlier: Earlier) -> Rewarded:
    """Return what an event had led to when it was first sent. Three queries at most."""
    rows = TransactionRow.objects.filter(pk=earlier.id).values_list("data", flat=True)
    event = (rows[0] or {}).get("event", {})
    stored = Evaluation.objects.filter(pk=earlier.id).values_list("result", flat=True).first()
    referrer = None
    if other := event.get("other"):
        row = TransactionRow.objects.get(pk=other)
        referrer = ReferrerSide(row.pk, row.member_id, row.effects)
    return Rewarded(book, None, stored or NOTHING, referrer, earlier)


def forgetting(original: TransactionRow) -> list[Alongside]:
    """Return what takes a reversed event off the cooldowns, once no side of it stands.

    Else a partner would send it again and again, take its member's side back each time, and leave
    the referrer what it gave.
    """
    event = TransactionRow.objects.filter(
        partner_id=original.partner_id, kind=Kind.BONUS, reference=original.reference
    )
    sides = set(event.exclude(pk=original.pk).values_list("pk", flat=True))
    back = TransactionRow.objects.filter(original__in=sides, kind=Kind.EARN_REVERSAL)
    if sides - set(back.values_list("original", flat=True)):
        return []
    document = {"reversed": [original.pk, *sides]}
    return [Alongside("promotions_note_events", msgspec.json.encode(document))]
