"""Replacing a card: the old one leads to the new one, and nothing else of the member changes."""

from datetime import datetime

from loyalty.caller import Actor
from loyalty.services import outbox
from members.errors import CardAlreadyReplaced, CardBlocked
from members.models import Card
from members.services import activity
from members.services.cards import Status, check_stage, lock_card, make_card, sources_for

LOST, STOLEN, DAMAGED, UPGRADE = "LOST", "STOLEN", "DAMAGED", "UPGRADE"
REASONS = (LOST, STOLEN, DAMAGED, UPGRADE)
_BECOMES = {LOST: Status.LOST, STOLEN: Status.STOLEN}
# A card that was reported is not taken for better by the reason of its replacement.
_WORSE = (Status.REPLACED, Status.LOST, Status.STOLEN)
_REPLACEABLE = frozenset({Status.ACTIVE, *_WORSE})


def replace_card(
    number: str, new_number: str | None, *, reason: str, by: Actor, at: datetime, note: str = ""
) -> Card:
    """Give a member a new card in place of one; return the new one, which names its predecessor.

    A step. The new number is a printed one, or the next of a range for the member.
    A damaged card is REPLACED; one that is lost or stolen stays known as such.

    :raises CardNotFound: if there is no such card; of the new number as `give_card`.
    :raises CardAlreadyReplaced: if it has a successor; that one can be replaced.
    :raises CardBlocked: if it is blocked or closed: a new one would go round that.
    :raises CardTaken, CardsExhausted, StageForbids: see `give_card`.
    """
    assert reason in REASONS
    old = lock_card(number)
    if old.successor_id is not None:
        raise CardAlreadyReplaced
    if old.status not in _REPLACEABLE:
        raise CardBlocked(status=old.status)
    check_stage(old.member)
    card = make_card(old.member, new_number, sources_for(old.member), by=by, at=at)
    worse = _BECOMES.get(reason, Status.REPLACED)
    if old.status in _WORSE:
        worse = max(worse, Status(old.status), key=_WORSE.index)
    old.status, old.successor = worse, card
    old.reported_at, old.closed_at = old.reported_at or at, at
    old.save(update_fields=["status", "successor", "reported_at", "closed_at"])
    data = {"card": old.number, "successor": card.number, "reason": reason}
    activity.record(old.member_id, "CARD_REPLACED", by=by, at=at, reason=note, data=data)
    outbox.record(
        "card.replaced", at=at, member_id=old.member_id, partner_id=by.partner_id, payload=data
    )
    return card
