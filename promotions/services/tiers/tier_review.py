"""The review of tiers, in chunks by key: most members stay, and cost one read for many.

Who would move is read without locks; only these are locked, read again and decided under the
lock. Run twice it does nothing more: what was decided no longer is to be.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from ledger.queries.books import execute
from ledger.queries.configuration import Configuration, configuration
from ledger.queries.tiers import Facts, ask, read_facts
from ledger.services import posting
from ledger.services.posting import LockedBook
from loyalty.services.use_case import use_case
from members.ladder import Held, Ladder, review
from promotions.services.budgets import Till
from promotions.services.tiers import standings
from promotions.services.tiers.overrides import catch_up
from promotions.services.tiers.standings import Standing, posted_at
from promotions.services.tiers.tier_rewards import reward_move, rewards_moves
from promotions.services.tiers.tiering import Cause, local_day, move

CHUNK = 5_000  # Members read at once; those who move are locked.


@dataclass(frozen=True, slots=True)
class Chunk:
    """How far a review came (`last` is None at the end), and what became of its members."""

    last: int | None
    members: int = 0
    raised: int = 0
    lowered: int = 0


def count_members() -> int:
    """Return about how many members a review passes: those that are there."""
    return int(execute("SELECT count(*) FROM members_member", ())[0])


@use_case
def review_chunk(*, after: int, at: datetime, everybody: bool, at_most: int = CHUNK) -> Chunk:
    """Review the next members by key whose tier is not fixed at `at`; return how far it came.

    `everybody` looks at those too whose tier is valid still: a new ladder may lift them. Without
    a ladder nobody moves.
    """
    _allow_time()
    settings = configuration()
    ladder = settings.ladder(at)
    if ladder is None:
        return Chunk(None)
    ids, last, members = _candidates(after, at, everybody, at_most)
    question = ask(settings, ladder, at=at, days=[local_day(at, settings)])
    question.pop("top", None)
    question["ended"] = True
    facts = read_facts(ids, question) if ids else {}
    movers = [key for key, each in facts.items() if _would_move(each, ladder, settings, at)]
    raised, lowered = _settle(movers, at)
    return Chunk(last, members, raised, lowered)


_CANDIDATES = """
WITH part AS (
    SELECT m.id, m.stage NOT IN ('CLOSED', 'MERGED') AND (%(everybody)s OR (
               NOT t.is_base AND (m.tier_until IS NULL OR m.tier_until <= %(at)s))) AS wanted
    FROM members_member m JOIN members_tier t ON t.id = m.tier_id
    WHERE m.id > %(after)s ORDER BY m.id LIMIT %(limit)s
)
SELECT max(id), count(*), array_agg(id) FILTER (WHERE wanted) FROM part
"""


def _candidates(
    after: int, at: datetime, everybody: bool, at_most: int
) -> tuple[list[int], int | None, int]:
    row = execute(_CANDIDATES, {"after": after, "at": at, "everybody": everybody, "limit": at_most})
    return row[2] or [], row[0], row[1]


def _would_move(facts: Facts, ladder: Ladder, settings: Configuration, at: datetime) -> bool:
    for override in facts.overrides or ():
        ended = override.ends_at is not None and override.ends_at <= at
        if ended or (override.applied_at is None and override.starts_at <= at):
            return True  # Something is to be caught up with.
        if override.applied_at is not None:
            return False
    held = Held(facts.tier, facts.since, facts.until)
    have = max((facts.have or [0])[0], facts.ended or 0)
    return held != _reviewed(ladder, held, have, facts, settings, at)


def _reviewed(
    ladder: Ladder, held: Held, have: int, facts: Facts, settings: Configuration, at: datetime
) -> Held:
    today = local_day(at, settings)
    return review(ladder, held, have, joined=facts.joined, today=today, at=at)


def _settle(members: list[int], at: datetime) -> tuple[int, int]:
    """Decide again under the locks, and write; return how many rose and fell."""
    if not members:
        return 0, 0
    books = posting.lock_many(members, at=at)
    # The epoch read with the locks tells which configuration holds.
    settings = configuration(next(iter(books.values())).epoch) if books else configuration()
    all_standings = standings.standings_of(books.values(), settings, ended=True)
    raised = lowered = 0
    till = Till()
    for key, standing in all_standings.items():
        before = standing.held.tier
        _review_one(standing, books[key])
        _reward(standing, books[key], before, till)
        if standing.ladder is not None and standing.held.tier != before:
            up = standing.ladder.rung(standing.held.tier).rank > standing.ladder.rung(before).rank
            raised, lowered = raised + up, lowered + (not up)
    standings.write(books.values(), all_standings.values(), till)
    return raised, lowered


def _reward(standing: Standing, book: LockedBook, before: str, till: Till) -> None:
    if standing.held.tier != before and rewards_moves(standing):
        posting.settle(book)
        reward_move(standing, book, before, purse=till)


def _review_one(standing: Standing, book: LockedBook) -> None:
    catch_up(standing, book)
    ladder = standing.ladder
    if ladder is None or standing.override is not None:
        return
    at, settings = posted_at(book), standing.settings
    have = max(standing.have(local_day(at, settings)), standing.facts.ended or 0)
    after = _reviewed(ladder, standing.held, have, standing.facts, settings, at)
    move(standing, book, after, Cause("REVIEW"))


def count_due(at: datetime) -> int:
    """Return how many members' tiers are to be looked at by an instant."""
    row = execute(
        "SELECT count(DISTINCT member_id) FROM members_tiercheck WHERE due_at <= %s", (at,)
    )
    return int(row[0])


@use_case
def check_chunk(*, after: int, at: datetime, at_most: int = 500) -> Chunk:
    """Look at the next members by key whose tier is due to be looked at."""
    _allow_time()
    row = execute(
        "SELECT array_agg(member_id) FROM (SELECT DISTINCT member_id FROM members_tiercheck"
        " WHERE due_at <= %s AND member_id > %s ORDER BY member_id LIMIT %s) due",
        (at, after, at_most),
    )
    members: list[int] = row[0] or []
    if not members:
        return Chunk(None)
    catch_up_many(members, at=at)
    return Chunk(max(members), len(members))


def catch_up_many(members: Iterable[int], *, at: datetime) -> None:
    """Bring the tiers of members up to an instant; a step that locks their books."""
    assert connection.in_atomic_block
    books = posting.lock_many(members, at=at)
    if not books:
        return
    settings = configuration(next(iter(books.values())).epoch)
    all_standings = standings.standings_of(books.values(), settings)
    till = Till()
    for key, standing in all_standings.items():
        before = standing.held.tier
        catch_up(standing, books[key])
        _reward(standing, books[key], before, till)
    standings.write(books.values(), all_standings.values(), till)


def _allow_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '10s'")
        cursor.execute("SET LOCAL statement_timeout = '120s'")
