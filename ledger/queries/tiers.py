"""Where members stand on the ladder, as it is read: the facts, the tier of an instant, progress."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec

from ledger.queries.books import execute
from ledger.queries.configuration import Configuration
from loyalty.dates import start_of_day
from members.ladder import Counts, Held, Ladder, Measure, Window, after_override, window_of
from members.models import TierMeasure

STORED = {
    Measure.POINTS_EARNED: TierMeasure.Measure.POINTS,
    Measure.STATUS_POINTS: TierMeasure.Measure.POINTS,
    Measure.SPEND: TierMeasure.Measure.SPEND,
    Measure.VISITS: TierMeasure.Measure.VISITS,
}


class Override(msgspec.Struct, kw_only=True):
    """A tier given by hand that is not over: in force, or still to come."""

    id: int
    tier: str
    starts_at: datetime
    ends_at: datetime | None
    reason: str
    actor_kind: str
    actor: str
    applied_at: datetime | None = None
    closed_at: datetime | None = None
    had_tier: str = ""
    had_since: datetime | None = None
    had_until: datetime | None = None


class Facts(msgspec.Struct, kw_only=True):
    """What was read of a member: see `ledger_tier_facts`."""

    member_id: int
    stage: str
    tier: str
    since: datetime | None
    until: datetime | None
    joined: date
    due: bool
    ladder: int | None = None
    days: list[date] | None = None
    first: date | None = None
    overrides: list[Override] | None = None
    have: list[int] | None = None
    ended: int | None = None
    daily: list[tuple[date, int, int]] | None = None


decode_facts = msgspec.json.Decoder(list[Facts]).decode


def ask(
    settings: Configuration, ladder: Ladder | None, *, at: datetime, days: Iterable[date]
) -> dict[str, Any]:
    """Return the question for `ledger_tier_facts`: the sums of these days' windows at `at`."""
    question: dict[str, Any] = {"zone": settings.zone.key, "at": at}
    if ladder is None:
        return question
    definition = ladder.definition
    days = list(dict.fromkeys(days))
    question |= {
        "ladder": ladder.number,
        "measure": STORED[definition.measure],
        "types": ladder.point_types,
        "window": definition.window,
        "months": definition.months,
        "available": definition.counts is Counts.AVAILABLE,
        "days": days,
    }
    climbable = [rung for rung in ladder.rungs if rung.at_least is not None]
    if climbable:
        question["top"] = climbable[-1].tier
    if definition.measure is Measure.VISITS and days:
        question["daily"] = min(days)  # Whether a day counts already is to be known.
    return question


def read_facts(member_ids: list[int], question: Mapping[str, Any]) -> dict[int, Facts]:
    """Return what `ledger_tier_facts` tells of members, by their ids."""
    row = execute(
        "SELECT ledger_tier_facts(%s, %s::jsonb)::text",
        (member_ids, msgspec.json.encode(question).decode()),
    )
    return {facts.member_id: facts for facts in decode_facts(row[0])}


@dataclass(frozen=True, slots=True)
class Progress:
    """What a member has towards the next tier, in the ladder's measure; money in minor units.

    `by` is the exclusive end of the window; None where it moves along. In the highest tier `next`
    and what follows are None.
    """

    measure: Measure
    point_type: str | None
    have: int
    next: str | None
    need: int | None
    missing: int | None
    by: datetime | None


@dataclass(frozen=True, slots=True)
class TierStanding:
    """The tier that a member holds at an instant, and what leads to the next one.

    `given` says whether it was given by hand.
    """

    held: Held
    given: bool
    progress: Progress | None


def tier_standing(member_id: int, settings: Configuration, *, at: datetime) -> TierStanding:
    """Return where a member stands at an instant, whatever the sweep has come to. One query."""
    ladder = settings.ladder(at)
    today = at.astimezone(settings.zone).date()
    question = ask(settings, ladder, at=at, days=[today])
    question.pop("top", None)
    question.pop("daily", None)
    facts = read_facts([member_id], question)[member_id]
    have = (facts.have or [0])[0]
    held, given = _held_at(facts, ladder, have, today=today, at=at)
    if ladder is None:
        return TierStanding(held, given, None)
    return TierStanding(held, given, _progress(ladder, facts, held, have, today, settings))


def _held_at(
    facts: Facts, ladder: Ladder | None, have: int, *, today: date, at: datetime
) -> tuple[Held, bool]:
    """Return what is held at an instant: overrides begin and end at theirs."""
    held = Held(facts.tier, facts.since, facts.until)
    started = [each for each in facts.overrides or () if each.starts_at <= at]
    if not started:
        return held, False
    last = started[-1]
    had = held
    if started[0].applied_at is not None:
        had = Held(started[0].had_tier, started[0].had_since, started[0].had_until)
    if last.ends_at is None or last.ends_at > at:
        if last.applied_at is not None:
            return held, held.tier == last.tier
        return Held(last.tier, last.starts_at, last.ends_at), True
    if last.applied_at is not None and held.tier != last.tier:
        return held, False
    if ladder is None:
        return had, False
    joined = facts.joined
    return after_override(ladder, held, have, had, joined=joined, today=today, at=at), False


def _progress(
    ladder: Ladder, facts: Facts, held: Held, have: int, today: date, settings: Configuration
) -> Progress:
    definition = ladder.definition
    rung = ladder.next_above(ladder.rung(held.tier).rank)
    window = window_of(definition, facts.joined, today)
    rolls = definition.window is Window.ROLLING_MONTHS
    need = rung.at_least if rung else None
    return Progress(
        measure=definition.measure,
        point_type=definition.point_type,
        have=have,
        next=rung.tier if rung else None,
        need=need,
        missing=max(0, need - have) if need is not None else None,
        by=None if rolls or rung is None else start_of_day(window.until, settings.zone),
    )
