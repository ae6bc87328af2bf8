"""The one shape of every posting, history row and read, and how answers are made of it."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from ledger.kernel.book import Transaction
from ledger.kernel.dates import last_valid_date
from ledger.queries.books import Earlier
from ledger.queries.configuration import Configuration, configuration
from ledger.queries.history import Posted, posted, posted_of_draft
from ledger.services.posting import LockedBook
from loyalty.api.fields import Answer, Money
from loyalty.caller import Caller
from members.models import Member
from partners.models import Partner


class PointsAnswer(Answer, kw_only=True):
    """What a transaction did to one point type, and the figures after it."""

    type: str
    points: int
    available_after: int
    pending_after: int
    locked_after: int
    debt_after: int


class BalanceAnswer(Answer, kw_only=True):
    """The points of one type by state."""

    type: str
    available: int
    pending: int
    locked: int
    debt: int


class TierAnswer(Answer, kw_only=True):
    """The tier before and after."""

    before: str | None
    after: str | None


class AwardAnswer(Answer, kw_only=True):
    """Points that one promotion version gave, for a line or (null) for the basket."""

    promotion: str
    version: int
    line: int | None
    type: str
    points: int
    state: str
    available_at: datetime
    expires_at: datetime | None
    last_valid_date: date | None
    explanation: dict[str, Any] | None = None


class LotAnswer(Answer, kw_only=True):
    """A part of a posting by the lot it touched."""

    lot: UUID | None
    points: int
    expires_at: datetime | None
    treated: str | None = None


class ExchangePart(Answer, kw_only=True):
    """What an exchange bought, as it was sent."""

    partner: str
    units: int
    fee: int
    status: str


class TransactionAnswer(Answer, kw_only=True):
    """A transaction."""

    id: UUID
    sale: UUID | None
    kind: str
    reference: str | None
    original: UUID | None
    reversed_by: list[UUID]
    member: str
    partner: str | None
    outlet: str | None
    occurred_at: datetime
    posted_at: datetime
    version: int
    points: list[PointsAnswer]
    value: Money | None
    reason: str | None
    awards: list[AwardAnswer]
    tier: TierAnswer
    balances: list[BalanceAnswer]
    lots: list[LotAnswer] | msgspec.UnsetType = msgspec.UNSET
    shortfall: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    kept: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    near_misses: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    rewards: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    coupons: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    changed: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    lock: UUID | msgspec.UnsetType = msgspec.UNSET
    locked: int | msgspec.UnsetType = msgspec.UNSET
    unlocked: int | msgspec.UnsetType = msgspec.UNSET
    expired: int | msgspec.UnsetType = msgspec.UNSET
    exchange: ExchangePart | msgspec.UnsetType = msgspec.UNSET
    event: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    cooldown: dict[str, Any] | msgspec.UnsetType | None = msgspec.UNSET
    referrer: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    explained: str | msgspec.UnsetType = msgspec.UNSET
    merged_from: str | msgspec.UnsetType = msgspec.UNSET


def transaction_answer(
    posted: Posted, *, member: str, caller: Caller, settings: Configuration
) -> TransactionAnswer:
    """Return a transaction as this caller may see it.

    A partner sees all movements with points and balance, so that sums agree; reference, outlet,
    value and reason only of its own.
    """
    mine = caller.sees_all_of_member or posted.partner_id == caller.partner_id
    codes = {key: facts.code for key, facts in settings.point_types.items()}
    money = None
    if posted.amount is not None and posted.currency is not None and mine:
        money = Money(amount=posted.amount, currency=posted.currency)
    answer = TransactionAnswer(
        id=posted.id,
        sale=posted.sale,
        kind=posted.kind,
        reference=posted.reference if mine else None,
        original=posted.original,
        reversed_by=posted.reversed_by,
        member=member,
        partner=partner_code(posted.partner_id, caller),
        outlet=posted.outlet if mine else None,
        occurred_at=posted.occurred_at,
        posted_at=posted.posted_at,
        version=posted.version,
        points=[
            PointsAnswer(
                type=codes[effect.type],
                points=effect.points,
                available_after=effect.available,
                pending_after=effect.pending,
                locked_after=effect.locked,
                debt_after=effect.debt,
            )
            for effect in posted.effects
        ],
        value=money if posted.kind != "EARN" else None,
        reason=posted.reason if mine else None,
        awards=[],
        tier=TierAnswer(before=posted.tier_before, after=posted.tier_after),
        balances=[
            BalanceAnswer(
                type=codes[each.point_type],
                available=each.available,
                pending=each.pending,
                locked=each.locked,
                debt=each.debt,
            )
            for each in sorted(posted.balances, key=lambda account: account.point_type)
        ],
    )
    _add_parts(answer, posted, codes)
    if mine and "event" in posted.data:
        event = posted.data["event"]
        answer.event = {name: event[name] for name in ("type", "role", "related")}
        answer.cooldown = event["cooldown"]
    return answer


def _add_parts(answer: TransactionAnswer, posted: Posted, codes: dict[int, str]) -> None:
    """Add what only some kinds have."""
    data = posted.data
    if "lots" in data:
        answer.lots = [msgspec.convert(lot, LotAnswer) for lot in data["lots"]]
    if "shortfall" in data:
        answer.shortfall = [
            {"type": codes[kind], "points": points, "treated": treated}
            for kind, points, treated in data["shortfall"]
        ]
    if "rewards" in data:
        answer.rewards = data["rewards"]
    if "exchange" in data:
        answer.exchange = msgspec.convert(data["exchange"], ExchangePart)
    for name in ("locked", "unlocked", "expired"):
        if name in data:
            setattr(answer, name, data[name])
    if posted.kind in ("LOCK", "UNLOCK") and posted.lock:
        answer.lock = posted.lock


_codes: dict[int, str] = {}


def partner_code(partner_id: int, caller: Caller) -> str:
    """Return a partner's code, which never changes, from memory where it was read before."""
    if partner_id == caller.partner_id:
        return caller.partner_code
    if partner_id not in _codes:
        _codes.update(Partner.objects.values_list("pk", "code"))
    return _codes[partner_id]


def award_answer(award: dict[str, Any], settings: Configuration) -> AwardAnswer:
    """Return a stored award as it is answered."""
    until = award["expires_at"]
    if isinstance(until, str):
        until = datetime.fromisoformat(until)
    return AwardAnswer(
        promotion=award["promotion"],
        version=award["version"],
        line=award["line"],
        type=award["type"],
        points=award["points"],
        state=award["state"],
        available_at=award["available_at"],
        expires_at=award["expires_at"],
        last_valid_date=last_valid_date(until, settings.zone),
    )


def answer_of(
    book: LockedBook, draft: Transaction | None, earlier: Earlier | None, caller: Caller
) -> TransactionAnswer:
    """Return the answer of a posting, or of the earlier one that it repeats.

    What came for a merged member was posted to its survivor, and says so in `merged_from`. A
    repeated answer is the first one, with the number of whom it was posted to.
    """
    settings = configuration(book.epoch)
    if earlier is not None:
        stored = posted(earlier.id)
    else:
        assert draft is not None
        stored = posted_of_draft(draft, book.book.member_id)
    own = stored.member_id == book.book.member_id
    number = book.member.number if own else number_of(stored.member_id)
    answer = transaction_answer(stored, member=number, caller=caller, settings=settings)
    if own:
        answer.merged_from = _merged_from(book)
    return answer


def _merged_from(book: LockedBook) -> str | msgspec.UnsetType:
    """Return the number of the merged member that was named, if one was. No query for others."""
    number = book.named.get("number", book.member.number)
    if number != book.member.number:
        return str(number)
    if book.named.get("id", book.book.member_id) != book.book.member_id:
        return number_of(book.named["id"])
    return msgspec.UNSET


def number_of(member_id: int) -> str:
    """Return a member's number. One query."""
    return Member.objects.values_list("number", flat=True).get(pk=member_id)
