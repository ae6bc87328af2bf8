"""Judging a card that a till was shown. Looking for cards that are there is limited per client."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ledger.queries.books import OpenBook, read
from ledger.queries.cards import CardStanding, card_standing
from ledger.queries.configuration import Configuration, configuration
from ledger.services import checks
from loyalty.errors import LockedOut
from loyalty.services import attempts
from loyalty.services.attempts import Policy
from members import stages
from members.models import Card
from members.queries.cards import has_its_check_digit, range_of
from members.services.cards import may_use

# Numbers that nobody has, in one hour and by one client: what many tills mistype is well below.
GUESSES = Policy("CARD", 200, timedelta(minutes=5), timedelta(hours=1))

UNKNOWN, MISTYPED, UNISSUED = "UNKNOWN", "MISTYPED", "UNISSUED"


@dataclass(frozen=True, slots=True)
class Validated:
    """What a card is worth. `standing` is None of a number that nobody has."""

    status: str
    settings: Configuration
    standing: CardStanding | None = None
    can_enrol: bool = False
    may_earn: bool = False
    may_redeem: bool = False
    book: OpenBook | None = None

    @property
    def valid(self) -> bool:
        """Whether the card is one that works."""
        return self.status == Card.Status.ACTIVE


def validate(
    number: str,
    *,
    client_id: str,
    partner_id: int,
    outlet: str | None,
    points: bool,
    at: datetime,
) -> Validated:
    """Return what a card is worth; nothing is written but the count of numbers that nobody has.

    A card that is known costs two statements, with `points` three. A mistyped number is told by
    its check digit and does not count as a guess.

    :raises LockedOut: if the client asked for too many numbers that nobody has.
    :raises OutletUnknown: if the outlet is not the partner's.
    """
    guesser = f"{client_id}@{at:%Y%m%d%H}"
    if until := attempts.locked_until(GUESSES, guesser, at=at):
        raise LockedOut(until)
    standing, epoch = card_standing(number)
    settings = configuration(epoch)
    checks.outlet_known(settings, partner_id, outlet)
    if standing is None:
        found = _of_nobody(number, partner_id, settings)
        if found.status != MISTYPED:
            attempts.count(GUESSES, guesser, at=at)
        return found
    works = {
        spends: checks.card_accepted(
            standing.status, standing.reported_at, settings, at, spends=spends
        )
        for spends in (False, True)
    }
    return Validated(
        status=standing.status,
        settings=settings,
        standing=standing,
        may_earn=works[False] and stages.may_earn(standing.stage),
        may_redeem=works[True] and stages.may_redeem(standing.stage),
        book=read({"id": standing.member_id}, at=at) if points else None,
    )


def _of_nobody(number: str, partner_id: int, settings: Configuration) -> Validated:
    source = range_of(number)
    if source is None:
        return Validated(UNKNOWN, settings)
    if not has_its_check_digit(source, number):
        return Validated(MISTYPED, settings)
    can_enrol = source.preprinted and source.active and may_use(source, partner_id)
    return Validated(UNISSUED, settings, can_enrol=can_enrol)
