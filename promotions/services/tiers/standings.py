"""Where members stand on the ladder: read under the locks of their books, moved in memory.

A unit has one standing per book. What it counts and moves is drafted here and written by the
statement that writes the books.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from django.db import connection

from ledger.queries.books import execute
from ledger.queries.configuration import Configuration
from ledger.queries.tiers import Facts, Override, ask, decode_facts, read_facts
from ledger.services import posting
from ledger.services.posting import Alongside, LockedBook
from members.ladder import Days, Definition, Held, Ladder, Measure, window_of
from members.queries.providers import in_stored_form
from promotions.services.awarding import recording
from promotions.services.budgets import Till
from promotions.services.rewarding.rewards import Record


@dataclass(slots=True)
class Standing:
    """A member's tier in a unit, and what the unit adds to it."""

    facts: Facts
    ladder: Ladder | None
    settings: Configuration
    held: Held
    overrides: list[Override]
    settled_at: datetime
    added: dict[date, int] = field(default_factory=dict)
    drafts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    @property
    def member_id(self) -> int:
        return self.facts.member_id

    @property
    def override(self) -> Override | None:
        """The override in force, if there is one."""
        return next((o for o in self.overrides if o.applied_at and not o.closed_at), None)

    def copied(self) -> "Standing":
        """Return the standing as it is now, for a step that may have to be undone."""
        return replace(
            self,
            overrides=[msgspec.structs.replace(each) for each in self.overrides],
            added=dict(self.added),
            drafts={part: list(rows) for part, rows in self.drafts.items()},
            records=list(self.records),
        )

    def have(self, day: date) -> int:
        """Return the ladder's measure in the window of a day, with what the unit added."""
        assert self.ladder is not None
        window = window_of(self.ladder.definition, self.facts.joined, day)
        base = self._read(self.ladder.definition, window)
        return base + sum(self._change(on) for on in self.added if on in window)

    def _read(self, definition: Definition, window: Days) -> int:
        facts = self.facts
        assert self.ladder is not None
        if facts.ladder == self.ladder.number:
            for day, have in zip(facts.days or (), facts.have or (), strict=False):
                if window_of(definition, facts.joined, day) == window:
                    return have
            if facts.daily is not None and facts.first and facts.first <= window.first:
                inside = [amount for day, _, amount in facts.daily if day in window]
                if definition.measure is Measure.VISITS:
                    return sum(amount > 0 for amount in inside)
                return sum(inside)
        self._read_again(window)
        return self._read(definition, window)

    def _read_again(self, window: Days) -> None:
        """Read what was not foreseen: another window, or a ladder that was just changed."""
        assert self.ladder is not None
        last = window.until - timedelta(days=1)
        first = self.facts.first
        question = ask(self.settings, self.ladder, at=self.settled_at, days=[last])
        question.pop("top", None)
        question["daily"] = min(window.first, first) if first else window.first
        fresh = read_facts([self.member_id], question)[self.member_id]
        self.facts = msgspec.structs.replace(
            self.facts,
            ladder=fresh.ladder,
            days=fresh.days,
            have=fresh.have,
            daily=fresh.daily,
            first=fresh.first,
        )

    def _change(self, day: date) -> int:
        """Return by how much the unit changes the measure of a day."""
        assert self.ladder is not None
        added = self.added[day]
        if self.ladder.definition.measure is not Measure.VISITS:
            return added
        stored = sum(amount for on, _, amount in self.facts.daily or () if on == day)
        return int(stored + added > 0) - int(stored > 0)

    def draft(self, part: str, **row: Any) -> None:
        """Add a row to what is written with the books (`members_record_tiers`)."""
        self.drafts.setdefault(part, []).append({"member_id": self.member_id, **row})


def beside_lock(
    member: dict[str, Any], settings: Configuration, *, at: datetime, occurred_at: datetime
) -> Alongside:
    """Return the query for a member's standing, to go with the locking statement of a sale."""
    days = [each.astimezone(settings.zone).date() for each in (at, occurred_at)]
    question = ask(settings, settings.ladder(at), at=at, days=days)
    question["member"] = in_stored_form(member)
    return Alongside("ledger_tier_facts_of", msgspec.json.encode(question))


def standing_of(book: LockedBook, settings: Configuration) -> Standing:
    """Return the standing that was read beside a book's lock; reads it if none was."""
    answer = book.facts.get("ledger_tier_facts_of")
    found = decode_facts(answer) if answer is not None else []
    # A merge may have finished while the lock was waited for: then it was read of somebody else.
    if not found or found[0].member_id != book.member.id:
        return standings_of([book], settings)[book.member.id]
    return _standing(book, found[0], settings)


def standings_of(
    books: Iterable[LockedBook],
    settings: Configuration,
    *,
    first_day: date | None = None,
    ended: bool = False,
) -> dict[int, Standing]:
    """Return the standings of locked books, by member, in one statement.

    `first_day` is the earliest day of a sale in the unit: with it, every day's amount is read
    that a window may need. `ended` reads what a review needs.
    """
    assert connection.in_atomic_block
    locked = {book.member.id: book for book in books}
    if not locked:
        return {}
    at = max(posted_at(book) for book in locked.values())
    today = at.astimezone(settings.zone).date()
    ladder = settings.ladder(at)
    question = ask(settings, ladder, at=at, days=[] if first_day else [today])
    question.pop("top", None)
    if first_day is not None and ladder is not None:
        months = ladder.definition.months or 12
        question["daily"] = first_day - timedelta(days=31 * months + 1)
    question["ended"] = ended
    facts = read_facts(list(locked), question)
    return {key: _standing(locked[key], each, settings) for key, each in facts.items()}


def _standing(book: LockedBook, facts: Facts, settings: Configuration) -> Standing:
    at = posted_at(book)
    held = Held(facts.tier, facts.since, facts.until)
    return Standing(facts, settings.ladder(at), settings, held, facts.overrides or [], at)


def posted_at(book: LockedBook) -> datetime:
    """Return the instant at which a book's next posting stands."""
    assert book.book.posted_at is not None
    return book.book.posted_at


def record_of(standings: Iterable[Standing]) -> list[Alongside]:
    """Return the call that writes what standings drafted, and forget the drafts; none for none."""
    drafts: dict[str, list[dict[str, Any]]] = {}
    for standing in standings:
        for part, rows in standing.drafts.items():
            drafts.setdefault(part, []).extend(rows)
        standing.drafts = {}
    # A row that a unit changed twice is written as it is last.
    for part, key in (("moves", "member_id"), ("overrides", "id")):
        if part in drafts:
            drafts[part] = list({row[key]: row for row in drafts[part]}.values())
    return [Alongside("members_record_tiers", msgspec.json.encode(drafts))] if drafts else []


def records_of(standings: Iterable[Standing]) -> list[Record]:
    """Return the records of what moves between tiers gave, and forget them."""
    found = []
    for standing in standings:
        found += standing.records
        standing.records = []
    return found


def write(
    books: Iterable[LockedBook], standings: Collection[Standing], purse: Till | None = None
) -> None:
    """Write what a unit drafted of tiers, and its postings if it has any, in one statement."""
    assert connection.in_atomic_block
    drafted = [book for book in books if book.book.transactions]
    record = record_of(standings)
    if drafted:
        more = recording(records_of(standings), purse)
        posting.write_many(drafted, alongside=[*more, *record])
    elif record:
        execute("SELECT members_record_tiers(%s::jsonb)", (record[0].argument.decode(),))
