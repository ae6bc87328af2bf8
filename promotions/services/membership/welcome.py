"""What promotions give for enrolling, and for sending a friend: to both sides."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
from django.db import connection

from ledger.queries.configuration import Configuration, configuration
from ledger.services import posting
from ledger.services.posting import LockedBook
from loyalty.caller import Caller
from members.models import Member
from promotions.services.awarding import recording
from promotions.services.budgets import Till
from promotions.services.occasions import Bonus, Occasion, post_bonus
from promotions.services.tiers import overrides, standings, tiering
from promotions.services.tiers.standings import Standing


class PointsGiven(msgspec.Struct, frozen=True):
    """Points of one type that a welcome or a referral gave."""

    type: str
    points: int


@dataclass(frozen=True, slots=True)
class Welcomed:
    """What a new member got, and the tier that this made."""

    points: list[PointsGiven]
    tier: str | None


def welcome(
    member: Member,
    referrer: Member | None,
    caller: Caller,
    *,
    channel: str | None,
    at: datetime,
) -> Welcomed:
    """Reward an enrolment, and where a member sent the new one, both of them; a step.

    The books are locked in key order and written together. What the referrer got is for the
    referrer to see.
    """
    assert connection.in_atomic_block
    people = [member] if referrer is None else [member, referrer]
    books = posting.lock_many([each.pk for each in people], at=at)
    settings = configuration(books[member.pk].epoch)
    for book in books.values():
        posting.settle(book)
    purse = Till()

    def give(who: Member, trigger: str, **attributes: object) -> Bonus:
        occasion = Occasion(
            trigger=trigger,
            occurred_at=at,
            partner_id=caller.partner_id,
            partner_code=caller.partner_code,
            channel=channel,
            attributes=attributes,
        )
        return post_bonus(books[who.pk], occasion, purse=purse)

    own = [give(member, "ENROLMENT", channel=channel or "", referred=referrer is not None)]
    others: list[Bonus] = []
    if referrer is not None:
        own.append(give(member, "REFERRAL", role="REFERRED"))
        others.append(give(referrer, "REFERRAL", role="REFERRER"))
    given = [(member.pk, each) for each in own]
    given += [(referrer.pk, each) for each in others if referrer is not None]
    counted = _count(books, given, settings)
    records = [each.record for _, each in given if each.record is not None]
    posting.write_many(
        books.values(),
        alongside=[*recording(records, purse), *standings.record_of(counted.values())],
    )
    held = counted[member.pk].held.tier if member.pk in counted else None
    return Welcomed(_points(own, settings), held)


def _count(
    books: Mapping[int, LockedBook], given: list[tuple[int, Bonus]], settings: Configuration
) -> dict[int, Standing]:
    """Count what was given towards tiers, and move whom it moves; return the standings.

    One statement where anything was given.
    """
    moving = {key: books[key] for key, bonus in given if bonus.transaction is not None}
    found = standings.standings_of(moving.values(), settings)
    for key, book in moving.items():
        overrides.catch_up(found[key], book)
    for key, bonus in given:
        if bonus.transaction is not None:
            tiering.add_bonus(found[key], books[key], bonus.transaction)
    return found


def _points(given: Iterable[Bonus], settings: Configuration) -> list[PointsGiven]:
    totals: dict[str, int] = {}
    for bonus in given:
        for effect in bonus.transaction.effects if bonus.transaction else ():
            code = settings.point_types[effect.type].code
            totals[code] = totals.get(code, 0) + effect.points
    return [PointsGiven(code, points) for code, points in totals.items() if points]
