"""The ladder as it is written: a change makes a version, and shows first who would move."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec
from django.db import connection

from ledger.queries.books import execute
from ledger.queries.configuration import Configuration, compiled_ladder, configuration
from ledger.queries.tiers import ask
from loyalty.caller import Actor
from loyalty.errors import FieldError, ValidationFailed
from loyalty.money import places
from loyalty.services import epoch
from members.ladder import Definition, Downgrade, Ladder
from members.ladder_rules import check
from members.models import LadderVersion, Member, Tier

PREVIEWED_AT_ONCE = 20_000  # Members: more are counted by a job.
CHUNK = 10_000
SAMPLE = 5


@dataclass(frozen=True, slots=True)
class Written:
    """The ladder as it now is, and whether a version was made."""

    version: LadderVersion
    new_version: bool


def put_ladder(
    definition: Definition, *, effective_from: datetime | None, at: datetime, by: Actor
) -> Written:
    """Write the ladder that is to be from an instant on, now by default; a step.

    The same content as the newest version's makes no version.

    :raises ValidationFailed: with the pointer of what is wrong; nothing takes effect in the past.
    """
    check_start(effective_from, at=at)
    return write_ladder(definition, effective_from=effective_from or at, at=at, by=by)


def check_start(effective_from: datetime | None, *, at: datetime) -> None:
    """:raises ValidationFailed: if a ladder were to take effect in the past."""
    if effective_from is not None and effective_from < at:
        message = "Nothing takes effect in the past."
        raise ValidationFailed([FieldError("/effective_from", "IN_PAST", message)])


def write_ladder(
    definition: Definition, *, effective_from: datetime, at: datetime, by: Actor
) -> Written:
    """Do what `put_ladder` does, whenever it is to take effect; a step.

    :raises ValidationFailed: with the pointer of what is wrong.
    """
    assert connection.in_atomic_block
    check_definition(definition, configuration())
    content = msgspec.json.decode(msgspec.json.encode(definition))  # As it is read again.
    # One writes at a time: numbers have no gaps, and the same content twice is one version.
    Tier.objects.select_for_update().get(is_base=True)
    newest = LadderVersion.objects.order_by("-number").first()
    if newest is not None and newest.definition == content:
        same_start = newest.effective_from == effective_from
        if same_start or newest.effective_from <= at >= effective_from:
            return Written(newest, new_version=False)
    version = LadderVersion.objects.create(
        number=newest.number + 1 if newest else 1,
        definition=content,
        effective_from=effective_from,
        created_at=at,
        created_by=by.name,
    )
    epoch.bump()
    return Written(version, new_version=True)


def check_definition(definition: Definition, settings: Configuration) -> None:
    """:raises ValidationFailed: with the pointer of everything that is wrong."""
    ranks = dict(Tier.objects.values_list("code", "rank"))
    types = [each.code for each in settings.point_types.values() if each.active]
    wrong = list(
        check(definition, ranks=ranks, point_types=types, places=places(settings.currency))
    )
    if wrong:
        raise ValidationFailed(
            [FieldError(each.pointer, "OUT_OF_RANGE", each.message) for each in wrong]
        )


def drafted_ladder(definition: Definition, settings: Configuration, *, at: datetime) -> Ladder:
    """Return a definition compiled as if it were in effect."""
    return compiled_ladder(
        definition,
        number=0,
        effective_from=at,
        point_types=settings.point_types.values(),
        tiers=list(Tier.objects.order_by("rank").values_list("code", "rank")),
        currency=settings.currency,
        zone=settings.zone,
    )


@dataclass(slots=True)
class Preview:
    """Who would move under a ladder: how many from which tier to which, and some of them."""

    members: int = 0
    moves: dict[tuple[str, str], int] = field(default_factory=dict)
    sample: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, result: dict[str, Any]) -> "Preview":
        """Return what a job has found so far."""
        found = cls(result.get("members", 0))
        for row in result.get("moves", ()):
            key = (row["from"], row["to"])
            found.moves[key], found.sample[key] = row["members"], row["sample"]
        return found

    def add(self, chunk: "Preview") -> None:
        """Add what another chunk of members would do."""
        self.members += chunk.members
        for key, count in chunk.moves.items():
            self.moves[key] = self.moves.get(key, 0) + count
            kept = self.sample.setdefault(key, [])
            kept.extend(chunk.sample[key][: SAMPLE - len(kept)])

    def rows(self) -> list[dict[str, Any]]:
        """Return the moves as they are answered, the most frequent first."""
        return [
            {"from": here, "to": there, "members": count, "sample": self.sample[here, there]}
            for (here, there), count in sorted(self.moves.items(), key=lambda each: -each[1])
        ]


def preview(ladder: Ladder, *, at: datetime) -> Preview:
    """Return who would move under a ladder; nothing is written. A statement per 10,000 members."""
    found = Preview()
    for _, chunk in preview_chunks(ladder, configuration(), at=at):
        found.add(chunk)
    return found


def preview_chunks(
    ladder: Ladder, settings: Configuration, *, at: datetime, after: int = 0
) -> Iterator[tuple[int, Preview]]:
    """Yield who would move, in chunks by key, with the last key of each.

    Up is at once; down is where members end up once validity and grace have run out. Members with
    a tier given by hand stay.
    """
    today = at.astimezone(settings.zone).date()
    while True:
        last, chunk = _preview_chunk(ladder, settings, after=after, today=today, at=at)
        if last is None:
            return
        after = last
        yield last, chunk


_MOVERS = """
WITH part AS (
    SELECT m.id, m.number, t.code AS tier, t.rank,
           (m.joined_at AT TIME ZONE %(zone)s)::date AS joined
    FROM members_member m JOIN members_tier t ON t.id = m.tier_id
    WHERE m.id > %(after)s ORDER BY m.id LIMIT %(limit)s
), live AS (
    SELECT p.* FROM part p JOIN members_member m ON m.id = p.id
    WHERE m.stage NOT IN ('CLOSED', 'MERGED') AND NOT EXISTS (
        SELECT 1 FROM members_tieroverride o WHERE o.member_id = p.id AND o.closed_at IS NULL
        AND o.applied_at IS NOT NULL)
), measured AS (
    SELECT l.*, (
        SELECT r.tier
        FROM jsonb_to_recordset(%(rungs)s::jsonb) AS r (tier text, rank int, amount bigint)
        WHERE r.amount <= h.have ORDER BY r.rank DESC LIMIT 1) AS reached
    FROM live l
    CROSS JOIN members_window(%(window)s, %(months)s, l.joined, %(today)s) w
    CROSS JOIN LATERAL (
        SELECT members_measured(l.id, %(measure)s, %(types)s, w.first, w.until)
             - CASE WHEN %(available)s THEN ledger_pending_of_days(
                   l.id, %(types)s, w.first, w.until, %(zone)s, %(at)s) ELSE 0 END AS have) h
)
SELECT (SELECT json_build_array(max(id), count(*)) FROM part)::text,
       (SELECT coalesce(json_agg(json_build_array(tier, reached, members, sample)), '[]') FROM (
            SELECT tier, reached, count(*) AS members,
                   (array_agg(number ORDER BY id))[1:%(sample)s] AS sample
            FROM measured WHERE tier <> reached GROUP BY tier, reached) moved)::text
"""


def _preview_chunk(
    ladder: Ladder, settings: Configuration, *, after: int, today: date, at: datetime
) -> tuple[int | None, Preview]:
    question = ask(settings, ladder, at=at, days=[today])
    rungs = [
        {"tier": rung.tier, "rank": rung.rank, "amount": rung.at_least}
        for rung in ladder.rungs
        if rung.at_least is not None
    ]
    answer = execute(
        _MOVERS,
        {
            **{name: question[name] for name in ("zone", "window", "months", "available", "at")},
            "measure": str(question["measure"]),
            "types": list(ladder.point_types),
            "today": today,
            "after": after,
            "limit": CHUNK,
            "sample": SAMPLE,
            "rungs": msgspec.json.encode(rungs).decode(),
        },
    )
    last, members = msgspec.json.decode(answer[0])
    found = Preview(members)
    for tier, reached, count, numbers in msgspec.json.decode(answer[1]):
        here, there = ladder.rung(tier), ladder.rung(reached)
        if there.rank < here.rank:
            if ladder.definition.downgrade is Downgrade.NEVER:
                continue
            if ladder.definition.downgrade is Downgrade.ONE_DOWN:
                there = max(there, ladder.below(here.rank), key=lambda rung: rung.rank)
        key = (here.tier, there.tier)
        found.moves[key] = found.moves.get(key, 0) + count
        found.sample.setdefault(key, []).extend(numbers)
    return last, found


def count_members() -> int:
    """Return how many members a preview would look at."""
    return Member.objects.count()
