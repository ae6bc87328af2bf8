"""Checks that several use cases make under the lock. Each refuses or returns nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal

from django.db import connection

from ledger.errors import InFuture, OfflineFloor, TooOld
from ledger.kernel.book import Book, Header
from ledger.kernel.dates import expires_at, parse_policy
from ledger.kernel.postings import extend_activity
from ledger.queries.books import OpenBook
from ledger.queries.configuration import Configuration, configuration
from ledger.queries.thresholds import limits_of, redeemed_today, worth
from ledger.services.burning import Priced, Spender
from loyalty.secret import Secret
from members import stages
from members.errors import CardBlocked, StageForbids
from members.models import Card
from members.services import step_ups
from members.services.step_ups import Leave
from members.sign_in_errors import StepUpRequired
from members.thresholds import Limits
from partners.errors import OutletUnknown


def may_earn(book: OpenBook) -> None:
    """:raises StageForbids: if the member's stage does not allow earning."""
    if not stages.may_earn(book.member.stage, configuration(book.epoch).stages):
        raise StageForbids(stage=book.member.stage, action="earn")


def may_redeem(book: OpenBook) -> None:
    """:raises StageForbids: if the member's stage does not allow redeeming."""
    if not stages.may_redeem(book.member.stage, configuration(book.epoch).stages):
        raise StageForbids(stage=book.member.stage, action="redeem")


def card_works(
    book: OpenBook, settings: Configuration, occurred_at: datetime, *, spends: bool = False
) -> None:
    """Refuse the card that named the member, if it no longer does.

    Late sales on a lost or replaced card are the member's for the programme's grace after it was
    reported, counted by the till's time; on a lost one nothing is spent. A stolen, blocked or
    closed card is refused whatever the till's time says.

    :raises CardBlocked: if it does not work (any more).
    """
    card = book.card
    if card is None or card_accepted(
        card.status, card.reported_at, settings, occurred_at, spends=spends
    ):
        return
    raise CardBlocked(status=card.status)


def card_accepted(
    status: str,
    reported_at: datetime | None,
    settings: Configuration,
    occurred_at: datetime,
    *,
    spends: bool,
) -> bool:
    """Return whether a card names its member at a till's time; see `card_works`."""
    if status == Card.Status.ACTIVE:
        return True
    if status == Card.Status.REPLACED or (status == Card.Status.LOST and not spends):
        return reported_at is not None and occurred_at < reported_at + settings.lost_card_grace
    return False


def outlet_known(configuration: Configuration, partner_id: int, outlet: str | None) -> None:
    """:raises OutletUnknown: if the outlet is not an active one of the partner."""
    if outlet is not None and (partner_id, outlet) not in configuration.outlets:
        raise OutletUnknown(outlet=outlet)


def in_time(
    configuration: Configuration, occurred_at: datetime, at: datetime, *, offline: bool = False
) -> None:
    """Refuse a till's time that is too long ago or has not come yet.

    :raises TooOld: if it is before the accepted lateness, or before the offline window.
    :raises InFuture: if it is later than the tolerance allows.
    """
    window = configuration.offline_window if offline else configuration.accepted_lateness
    if occurred_at < at - window:
        raise TooOld(accepted_from=at - window)
    if occurred_at > at + configuration.future_tolerance:
        raise InFuture(accepted_to=at + configuration.future_tolerance)


@dataclass(frozen=True, slots=True)
class StepUpNeeded:
    """What a member has to agree to: so many points of one type that are worth the whole burn."""

    point_type: str
    points: int


def stepped_up(
    book: OpenBook,
    settings: Configuration,
    parts: Sequence[Priced],
    spender: Spender,
    token: Secret | None,
    *,
    reference: str,
) -> None:
    """Ask for a step-up where the member's limits do; use one up that comes. A step.

    Made last of all checks, under the book's lock, so that a refusal uses up nothing and
    redemptions at once are seen by each other. Two statements at most, none where no limit holds.

    :raises StepUpRequired: if it is above the limit by transaction, or with what was redeemed in
        the day above the limit by day, and no step-up comes.
    :raises StepUpInvalid: if one comes that is not good for it.
    :raises OfflineFloor: if it was granted offline, where nobody can step up, above the floor.
    """
    assert connection.in_atomic_block
    if token is not None:
        assert book.book.posted_at is not None
        covers = {each.point_type: each.points for each in _ways_to_agree(parts, spender, settings)}
        leave = Leave("REDEEM", spender.partner_id)
        at = book.book.posted_at
        step_ups.spend(book.member.id, token, leave, covers=covers, on=reference, at=at)
        return
    needed = step_up_needed(book, settings, parts, spender)
    if needed is not None:
        raise StepUpRequired(purpose="REDEEM", points=needed.points, type_wanted=needed.point_type)


def step_up_needed(
    book: OpenBook, settings: Configuration, parts: Sequence[Priced], spender: Spender
) -> StepUpNeeded | None:
    """Return what the member has to agree to before this is redeemed; None if nothing.

    :raises OfflineFloor: if it was granted offline, where nobody can step up, above the floor.
    """
    limits = limits_of(book.member, settings)
    if limits.per_transaction is None and limits.per_day is None:
        return None
    worths = [worth(p.point_type, p.points, settings, spender.occurred_at) for p in parts]
    known = [each for each in worths if each is not None]
    # What has no value in money cannot be held against a limit, so it is asked for.
    whole = sum(known, Decimal(0)) if len(known) == len(worths) else None
    floor = settings.offline_floor
    if spender.offline and floor is not None and whole is not None and whole <= floor:
        return None
    if whole is not None and not _is_above(limits, whole, book, settings):
        return None
    if spender.offline:
        raise OfflineFloor(floor=str(floor or Decimal("0.00")))
    return _ways_to_agree(parts, spender, settings)[0]


def _ways_to_agree(
    parts: Sequence[Priced], spender: Spender, settings: Configuration
) -> list[StepUpNeeded]:
    """Return the ways to agree to a burn: the points of each of its types that are worth it all.

    A step-up is for points of one type. Of several types without a value none can be agreed to.
    """
    points: dict[str, int] = {}
    for part in parts:
        points[part.point_type.code] = points.get(part.point_type.code, 0) + part.points
    if len(points) == 1:
        return [StepUpNeeded(*each) for each in points.items()]
    at = spender.occurred_at
    whole = sum(part.point_type.rate(settings.currency, at) * part.points for part in parts)
    kinds = dict.fromkeys(part.point_type for part in parts)
    ways = []
    for kind in kinds:
        each_worth = kind.rate(settings.currency, at)
        if each_worth:
            enough = (whole / each_worth).to_integral_value(ROUND_CEILING)
            ways.append(StepUpNeeded(kind.code, int(enough)))
    return ways or [StepUpNeeded(*each) for each in points.items()]


def _is_above(limits: Limits, value: Decimal, book: OpenBook, settings: Configuration) -> bool:
    # Zero asks always, also where a few points are worth nothing.
    each, day = limits.per_transaction, limits.per_day
    if each is not None and (not each or value > each):
        return True
    return day is not None and (not day or redeemed_today(book.book, settings) + value > day)


def note_activity(book: Book, configuration: Configuration, header: Header) -> None:
    """Move forward the expiry of lots whose policy follows activity (DESIGN 2.7)."""
    for text in book.activity:
        policy = parse_policy(text)
        until = expires_at(header.occurred_at, policy, configuration.zone)
        if until is not None:
            extend_activity(book, text, until)
