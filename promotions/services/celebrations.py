"""Birthdays and anniversaries of joining: rewarded in the night, once a year and member.

A feast falls on its local day; one of 29 February on 1 March where a year has none, which is the
first day on which the member is a year older. What was rewarded is noted like any event, with the
posting, so that a night that was killed, or runs twice, gives nothing a second time. It also
keeps a member who moves their date of birth from being given a second birthday.
"""

from calendar import isleap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import msgspec
from django.db import connection

from ledger.queries.books import execute
from ledger.queries.configuration import Configuration, configuration
from ledger.services import posting
from ledger.services.posting import Alongside, LockedBook
from loyalty.dates import start_of_day
from loyalty.models import Job
from loyalty.services.use_case import use_case
from members import stages
from partners.queries import house
from promotions.engine.conditions import is_live
from promotions.services import facts
from promotions.services.awarding import asked_of, recording
from promotions.services.bootstrap import ANNIVERSARY
from promotions.services.budgets import Till
from promotions.services.facts import Known
from promotions.services.occasions import Bonus, Occasion, post_bonus
from promotions.services.snapshot import snapshot_of
from promotions.services.tiers import overrides, standings, tiering
from promotions.services.tiers.standings import Standing
from promotions.services.tiers.tier_rewards import reward_move

BIRTHDAY = "BIRTHDAY"
CHUNK = 500
DAYS_MAX = 31  # Nights that were missed for longer are not made up for.
APART = timedelta(days=330)


@dataclass(frozen=True, slots=True)
class Feast:
    """What is celebrated: its name, the members' date that it is of, and what conditions ask."""

    name: str
    of: str
    attribute: str

    def occasion(self, day: date, years: int) -> dict[str, object]:
        """Return what an occasion says of the feast: trigger, event and attributes."""
        of_event = self.name != BIRTHDAY
        return {
            "trigger": "EVENT" if of_event else BIRTHDAY,
            "event": self.name if of_event else None,
            "attributes": {self.attribute: years},
            "reason": f"{self.name.capitalize()} of {day}.",
        }


FEASTS = {
    BIRTHDAY: Feast(BIRTHDAY, "m.birth_date", "age"),
    ANNIVERSARY: Feast(ANNIVERSARY, "(m.joined_at AT TIME ZONE %(zone)s)::date", "years"),
}


@dataclass(frozen=True, slots=True)
class Chunk:
    """How far a night came (`last` is None at the end), whom it passed and whom it rewarded."""

    last: int | None
    members: int = 0
    rewarded: int = 0


class _Celebrant(msgspec.Struct):
    """A member with a feast: of which date, and since when a member."""

    id: int
    origin: date
    joined_at: datetime


def days_of(night: Job) -> list[date]:
    """Return the local days that a night celebrates: since the last one that was done.

    That one's day is among them, for who joined on it.
    """
    settings = configuration()
    today = night.created_at.astimezone(settings.zone).date()
    done = Job.objects.filter(
        kind=night.kind, status=Job.Status.DONE, created_at__lt=night.created_at
    )
    last = done.order_by("-created_at").values_list("created_at", flat=True).first()
    first = today if last is None else last.astimezone(settings.zone).date()
    first = max(min(first, today), today - timedelta(days=DAYS_MAX - 1))
    return [first + timedelta(days=n) for n in range((today - first).days + 1)]


def is_celebrated(feast: str, days: Iterable[date]) -> bool:
    """Return whether a promotion rewards the feast on any of these days."""
    settings = configuration()
    wanted = FEASTS[feast].occasion(date.min, 0)
    starts = [start_of_day(day, settings.zone) for day in days]
    # A member who joins in the course of a day celebrates from then on.
    instants = [*starts, *(each + timedelta(hours=20) for each in starts)]
    return any(
        version.definition.trigger == wanted["trigger"]
        and version.definition.event == wanted["event"]
        and any(is_live(version, instant) for instant in instants)
        for version in snapshot_of(settings).versions
    )


@use_case
def celebrate_chunk(
    feast: str, days: list[date], *, after: int, at: datetime, at_most: int = CHUNK
) -> Chunk:
    """Reward the next members by key who celebrate on one of `days`; return how far it came.

    Who was rewarded, or is in a stage that does not earn, is passed over.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '10s'")
        cursor.execute("SET LOCAL statement_timeout = '120s'")
    settings = configuration()
    people = _celebrants(FEASTS[feast], days, settings, after=after, at_most=at_most)
    if not people:
        return Chunk(None)
    last = people[-1].id
    feasts = {each.id: found for each in people if (found := _feast_of(each, days, settings))}
    books = posting.lock_many(feasts, at=at)
    known = _rewarded(books, feast)
    # A merge may have finished while we waited: such a book is the survivor's.
    books = {
        key: book
        for key, book in books.items()
        if key in feasts and _may(book, feasts[key][1], known.get(key))
    }
    rewarded = _reward(books, feasts, FEASTS[feast], settings, at) if books else 0
    return Chunk(last, len(people), rewarded)


_CELEBRANTS = """
SELECT coalesce(json_agg(p ORDER BY p.id), '[]')::text FROM (
    SELECT m.id, {date} AS origin, m.joined_at
    FROM members_member m
    WHERE m.id > %(after)s AND m.stage = ANY (%(stages)s)
      AND to_char({date}, 'MMDD') = ANY (%(days)s)
    ORDER BY m.id LIMIT %(limit)s
) p
"""


def _celebrants(
    feast: Feast, days: list[date], settings: Configuration, *, after: int, at_most: int
) -> list[_Celebrant]:
    row = execute(
        _CELEBRANTS.format(date=feast.of),
        {
            "after": after,
            "stages": [each for each, may in settings.stages.items() if may.earn],
            "days": [key for day in days for key in _keys(day)],
            "zone": str(settings.zone),
            "limit": at_most,
        },
    )
    return msgspec.json.decode(row[0], type=list[_Celebrant])


def _keys(day: date) -> list[str]:
    """Return the dates, as month and day, whose feast falls on a local day."""
    leaps = (day.month, day.day) == (3, 1) and not isleap(day.year)
    return [f"{day:%m%d}", *(["0229"] if leaps else [])]


def _feast_of(
    member: _Celebrant, days: list[date], settings: Configuration
) -> tuple[date, datetime, int] | None:
    """Return a member's day, instant and years of the feast; None before the first one."""
    key = f"{member.origin:%m%d}"
    day = next(each for each in days if key in _keys(each))
    years = day.year - member.origin.year
    joined = member.joined_at.astimezone(settings.zone).date()
    if years < 1 or joined > day:
        return None
    return day, max(start_of_day(day, settings.zone), member.joined_at), years


_REWARDED = """
SELECT coalesce(json_object_agg(m.id, e.last), '{}')::text
FROM unnest(%s::bigint[]) AS m (id)
CROSS JOIN LATERAL (
    SELECT max(occurred_at) AS last FROM promotions_memberevent
    WHERE event = %s AND member_id = ANY (ledger_merged(m.id))
) e WHERE e.last IS NOT NULL
"""


def _rewarded(books: Mapping[int, LockedBook], feast: str) -> dict[int, datetime]:
    """Return when the members' last feast was rewarded, as the locks found it. One statement."""
    row = execute(_REWARDED, (sorted(books), feast))
    return msgspec.json.decode(row[0], type=dict[int, datetime])


def _may(book: LockedBook, occurred_at: datetime, last: datetime | None) -> bool:
    if last is not None and last > occurred_at - APART:
        return False
    return stages.may_earn(book.member.stage, configuration(book.epoch).stages)


def _reward(
    books: Mapping[int, LockedBook],
    feasts: Mapping[int, tuple[date, datetime, int]],
    feast: Feast,
    settings: Configuration,
    at: datetime,
) -> int:
    """Draft and write what the members get; return how many got anything."""
    instants = [feasts[key][1] for key in books]
    asked = asked_of(settings, snapshot_of(settings), instants)
    told = facts.read_many(books, asked, at=at) if asked else {}
    first_day = min(tiering.local_day(each, settings) for each in instants)
    held = standings.standings_of(books.values(), settings, first_day=first_day)
    till, given, programme = Till(), {}, house()
    for key, book in books.items():
        posting.settle(book)
        overrides.catch_up(held[key], book)
        day, occurred_at, years = feasts[key]
        occasion = Occasion(
            occurred_at=occurred_at,
            partner_id=programme.pk,
            partner_code=programme.code,
            **feast.occasion(day, years),  # type: ignore[arg-type]  # the fields that it names
        )
        bonus = _give(book, held[key], occasion, feast, told.get(key, Known.nothing()), till)
        if bonus.transaction is not None:
            given[key] = bonus
    records = [each.record for each in given.values() if each.record]
    recorded = recording([*records, *standings.records_of(held.values())], till)
    notes = [_note(key, feast, each) for key, each in given.items() if _gave(each)]
    noted = Alongside("promotions_note_events", msgspec.json.encode({"rewarded": notes}))
    posting.write_many(
        books.values(), alongside=[*recorded, noted, *standings.record_of(held.values())]
    )
    return len(notes)


def _give(
    book: LockedBook,
    standing: Standing,
    occasion: Occasion,
    feast: Feast,
    known: Known,
    till: Till,
) -> Bonus:
    tier = standing.held.tier
    bonus = post_bonus(book, occasion, purse=till, known=known, tier=tier)
    if bonus.transaction is not None:
        told = {"type": feast.name, "role": None, "related": None, "cooldown": None}
        bonus.transaction.header.data = {**(bonus.transaction.header.data or {}), "event": told}
        tiering.add_bonus(standing, book, bonus.transaction)
        reward_move(standing, book, tier, purse=till)
    return bonus


def _gave(bonus: Bonus) -> bool:
    """Return whether anything came of it; vouchers may have run out."""
    result = bonus.record.result if bonus.record else {"awards": []}
    return bool(result["awards"]) or any(r["quantity"] for r in result.get("rewards", ()))


def _note(member_id: int, feast: Feast, bonus: Bonus) -> dict[str, object]:
    assert bonus.transaction is not None
    return {
        "transaction_id": bonus.transaction.id,
        "member_id": member_id,
        "event": feast.name,
        "occurred_at": bonus.transaction.header.occurred_at,
    }
