"""What a card is worth: its status, whose it is, and what may be done with it."""

from datetime import datetime

import msgspec

from ledger.queries.books import CardFacts, execute


class CardStanding(msgspec.Struct, frozen=True):
    """A card with its member, or a merged member's survivor, in the snapshot of one statement."""

    status: str
    reported_at: datetime | None
    successor: str | None
    member_id: int
    number: str
    stage: str
    first_name: str
    last_name: str
    tier: str
    enrolled_by: int


class _Found(msgspec.Struct):
    epoch: int
    card: CardStanding | None


_STANDING = """
SELECT json_build_object('epoch', p.epoch, 'card', (
    SELECT json_build_object(
        'status', c.status, 'reported_at', c.reported_at, 'successor', s.number,
        'member_id', m.id, 'number', m.number, 'stage', m.stage, 'first_name', m.first_name,
        'last_name', m.last_name, 'tier', t.code, 'enrolled_by', m.enrolled_by_id)
    FROM members_card c
    JOIN members_member m ON m.id = ledger_resolve(jsonb_build_object('id', c.member_id))
    JOIN members_tier t ON t.id = m.tier_id
    LEFT JOIN members_card s ON s.id = c.successor_id
    WHERE c.number = %s))::text
FROM loyalty_program p WHERE p.id = 1
"""


def card_facts(number: str) -> CardFacts | None:
    """Return a card as postings look at it, for a look at what they would do. One statement."""
    row = execute(
        "SELECT coalesce((SELECT json_build_object('number', number, 'status', status,"
        " 'reported_at', reported_at) FROM members_card WHERE number = %s), 'null')::text",
        (number,),
    )
    return msgspec.json.decode(row[0], type=CardFacts | None)


def card_standing(number: str) -> tuple[CardStanding | None, int]:
    """Return a card by its number, None if nobody has it, and the epoch. One statement."""
    found = msgspec.json.decode(execute(_STANDING, (number,))[0], type=_Found)
    return found.card, found.epoch
