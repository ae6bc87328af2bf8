"""Tiers given by hand: they begin, end and hand on at their instants, whoever looks first.

An override holds whatever the rules say, except that they may lift its member above it. After it
the rules decide again.
"""

from datetime import datetime

import msgspec

from ledger.queries.tiers import Override
from ledger.services.posting import LockedBook
from loyalty.caller import Actor
from members.ladder import Held, after_override
from promotions.services.tiers.standings import Standing, posted_at
from promotions.services.tiers.tiering import Cause, climb_now, local_day, move


def catch_up(standing: Standing, book: LockedBook) -> None:
    """Do what was due by the book's instant: begin and end overrides, count released points.

    A sale is then evaluated with the tier of its own instant.
    """
    at = posted_at(book)
    if standing.overrides:
        _follow_overrides(standing, book, at)
    if not standing.facts.due:
        return
    standing.draft("done_checks", at=at)
    if standing.ladder is not None and standing.override is None:
        day = local_day(at, standing.settings)
        climb_now(standing, book, day, Cause("CHECK"))


def _follow_overrides(standing: Standing, book: LockedBook, at: datetime) -> None:
    """Begin and end overrides in the order of their instants."""
    for following in [each for each in standing.overrides if each.applied_at is None]:
        if following.starts_at > at:
            break
        active = standing.override
        if active and active.ends_at is not None and active.ends_at <= following.starts_at:
            _end(standing, book, active)
            active = None
        begin_override(standing, book, following, at=at)
    active = standing.override
    if active is not None and active.ends_at is not None and active.ends_at <= at:
        _end(standing, book, active)


def begin_override(
    standing: Standing, book: LockedBook, override: Override, *, at: datetime
) -> None:
    """Give the tier of an override; another that is in force is over, and hands on what was had."""
    had, active = standing.held, standing.override
    if active is not None:
        if standing.held.tier == active.tier:
            had = Held(active.had_tier, active.had_since, active.had_until)
        active.closed_at = override.starts_at
        keep(standing, active)
    override.applied_at = at
    override.had_tier, override.had_since, override.had_until = had.tier, had.since, had.until
    keep(standing, override)
    same = standing.held.tier == override.tier
    since = standing.held.since if same else override.starts_at
    by = Actor(override.actor_kind, override.actor)
    cause = Cause("OVERRIDE", reason=override.reason, by=by)
    move(standing, book, Held(override.tier, since, override.ends_at), cause)


def _end(standing: Standing, book: LockedBook, override: Override) -> None:
    """Let the rules decide again, unless they lifted the member above the override meanwhile."""
    override.closed_at = override.ends_at
    keep(standing, override)
    if standing.held.tier != override.tier:
        return
    had = Held(override.had_tier, override.had_since, override.had_until)
    ladder, at = standing.ladder, posted_at(book)
    if ladder is None:
        move(standing, book, had, Cause("OVERRIDE_ENDED"))
        return
    today = local_day(at, standing.settings)
    have, joined = standing.have(today), standing.facts.joined
    after = after_override(ladder, standing.held, have, had, joined=joined, today=today, at=at)
    move(standing, book, after, Cause("OVERRIDE_ENDED"))


def hold_until(standing: Standing, book: LockedBook, override: Override) -> None:
    """Give the tier of an override in force the override's end, and have it looked at then."""
    if override.ends_at is not None:
        standing.draft("checks", due_at=override.ends_at)
    held = standing.held
    if held.tier == override.tier:
        move(standing, book, Held(held.tier, held.since, override.ends_at), Cause("OVERRIDE"))


def keep(standing: Standing, override: Override) -> None:
    """Draft how an override stands now."""
    row = msgspec.structs.asdict(override)
    kept = ("id", "applied_at", "closed_at", "ends_at", "had_tier", "had_since", "had_until")
    standing.draft("overrides", **{name: row[name] for name in kept})
