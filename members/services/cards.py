"""Cards of a member: giving one, and telling what became of it.

Lock order: the member's row, then the card's, then the range's. Books are never taken after them.
"""

from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from loyalty.caller import Actor
from loyalty.models import Program
from members import stages
from members.errors import (
    CardBlocked,
    CardNotFound,
    CardRangeUnknown,
    CardTaken,
    CardTransitionForbidden,
    SeveralCardsForbidden,
    StageForbids,
)
from members.models import Card, CardRange, Member
from members.queries.cards import has_its_check_digit, range_of
from members.services import activity
from members.services.card_ranges import take_number
from partners.models import Partner

Status = Card.Status
HELD = (Status.ACTIVE, Status.BLOCKED)  # What counts as a card that the member has.

# What may become of a card by a report. REPLACED is reached by a replacement alone, and what was
# stolen stays so: who found it may have copied it.
TRANSITIONS: dict[str, frozenset[str]] = {
    Status.ACTIVE: frozenset({Status.LOST, Status.STOLEN, Status.BLOCKED, Status.CLOSED}),
    Status.LOST: frozenset({Status.ACTIVE, Status.STOLEN, Status.BLOCKED, Status.CLOSED}),
    Status.BLOCKED: frozenset({Status.ACTIVE, Status.LOST, Status.STOLEN, Status.CLOSED}),
    Status.STOLEN: frozenset({Status.CLOSED}),
    Status.REPLACED: frozenset({Status.LOST, Status.STOLEN, Status.CLOSED}),
    Status.CLOSED: frozenset(),
}
_TOLD_AS = {
    Status.ACTIVE: "CARD_UNBLOCKED",
    Status.BLOCKED: "CARD_BLOCKED",
    Status.LOST: "CARD_REPORTED",
    Status.STOLEN: "CARD_REPORTED",
    Status.CLOSED: "CARD_CLOSED",
}


def give_card(
    member: Member,
    number: str | None,
    range_code: str | None = None,
    *,
    by: Actor,
    at: datetime,
    reason: str = "",
) -> Card:
    """Give a member a card: one that was printed, or the next number of a range; a step.

    Without a number it is taken from the range named, or from one of the partner that enrolled
    the member, or from one of the programme's.

    :raises CardNotFound: if the number is of no pre-printed range, or of another partner's.
    :raises CardBlocked: if its range is withdrawn.
    :raises CardTaken: if it is, or was, somebody's card.
    :raises CardsExhausted: if no range has a number left.
    :raises CardRangeUnknown: if the range named gives out no numbers.
    :raises SeveralCardsForbidden: if the member has a card, and the programme allows one.
    :raises StageForbids: if the membership is over or disabled.
    """
    owner = lock_member(member.pk)
    check_stage(owner)
    _check_number_of_cards(owner)
    card = make_card(owner, number, sources_for(owner, range_code), by=by, at=at)
    activity.record(
        owner.pk, "CARD_ISSUED", by=by, at=at, reason=reason, data={"card": card.number}
    )
    return card


def report_card(number: str, status: str, *, reason: str, by: Actor, at: datetime) -> Card:
    """Block a card, report it lost or stolen, close it, or let it work again; a step.

    What it is already changes nothing.

    :raises CardNotFound: if there is no such card.
    :raises CardTransitionForbidden: if that cannot become of it (any more).
    :raises SeveralCardsForbidden: if it would work beside another, and the programme allows one.
    """
    card = lock_card(number)
    if card.status == status:
        return card
    revives = status == Status.ACTIVE
    if status not in TRANSITIONS[card.status] or (revives and card.successor_id is not None):
        raise CardTransitionForbidden(now=card.status, wanted=status)
    if revives and card.status not in HELD:
        _check_number_of_cards(card.member)
    before, card.status = card.status, status
    if status in (Status.LOST, Status.STOLEN):
        card.reported_at = card.reported_at or at
    elif revives:
        card.reported_at = None
    if status == Status.CLOSED:
        card.closed_at = at
    card.save(update_fields=["status", "reported_at", "closed_at"])
    data = {"card": card.number, "before": before, "after": status}
    activity.record(
        card.member_id, _TOLD_AS[Status(status)], by=by, at=at, reason=reason, data=data
    )
    return card


def lock_member(member_id: int) -> Member:
    """Return a member, or the survivor, whose cards and aliases nobody else changes meanwhile."""
    assert connection.in_atomic_block
    member = Member.objects.select_for_update(no_key=True, of=("self",)).get(pk=member_id)
    while member.merged_into_id is not None:  # A merge may have finished while we waited.
        member = Member.objects.select_for_update(no_key=True).get(pk=member.merged_into_id)
    return member


def lock_card(number: str) -> Card:
    """Return a card, with its member, that nobody else changes until the transaction ends.

    :raises CardNotFound: if there is no such card.
    """
    owner = Card.objects.filter(number=number).values_list("member_id", flat=True).first()
    if owner is None:
        raise CardNotFound
    lock_member(owner)
    return Card.objects.select_for_update(of=("self",)).select_related("member").get(number=number)


def check_stage(member: Member) -> None:
    """:raises StageForbids: if members of this stage get no cards."""
    if not stages.may_hold_cards(member.stage):
        raise StageForbids(stage=member.stage, action="get a card")


def _check_number_of_cards(member: Member) -> None:
    if Card.objects.filter(member=member, status__in=HELD).exists() and not (
        Program.objects.values_list("several_cards", flat=True).get(pk=1)
    ):
        raise SeveralCardsForbidden


def sources_for(member: Member, code: str | None = None) -> QuerySet[CardRange]:
    """Return the ranges that a member's next card may be from, the partner's own first.

    :raises CardRangeUnknown: if the range named gives out no numbers.
    """
    sources = CardRange.objects.filter(active=True, preprinted=False)
    if code is not None:
        named = sources.filter(code=code)
        if not named:
            raise CardRangeUnknown(code)
        return named
    ours = sources.filter(partner=member.enrolled_by_id).order_by("pk")
    return ours if ours else sources.filter(partner=None).order_by("pk")


def make_card(
    member: Member,
    number: str | None,
    sources: QuerySet[CardRange],
    *,
    by: Actor,
    at: datetime,
) -> Card:
    """Store a new card of a locked member; see `give_card` for what is refused."""
    if number is None:
        number, source = take_number(sources)
    else:
        source = _printed(number, by)
    # A twin that takes the same number meanwhile is met here, by the unique number.
    made = Card(number=number, member=member, range=source, issued_at=at)
    Card.objects.bulk_create([made], ignore_conflicts=True)
    card = Card.objects.select_related("member").get(number=number)
    if (card.member_id, card.issued_at, card.status) != (member.pk, at, Status.ACTIVE):
        raise CardTaken
    return card


def _printed(number: str, by: Actor) -> CardRange:
    source = range_of(number)
    if Card.objects.filter(number=number).exists():
        raise CardTaken
    if source is None or not source.preprinted or not has_its_check_digit(source, number):
        raise CardNotFound
    if not may_use(source, by.partner_id):
        raise CardNotFound
    if not source.active:
        raise CardBlocked(status="WITHDRAWN")
    return source


def may_use(source: CardRange, partner_id: int | None) -> bool:
    """Return whether a caller may give cards of a range: the partner whose it is, and the house."""
    if source.partner_id in (None, partner_id) or partner_id is None:
        return True
    return Partner.objects.filter(pk=partner_id, is_house=True).exists()
