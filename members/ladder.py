"""The ladder: what carries members from tier to tier, decided on plain values.

A measure (points, spend, visits) is summed over a window of local days. Who reaches a threshold
moves up at once; who no longer reaches it moves down when the tier's validity and the grace have
run out. Everything here is pure: services say what a member has, and do what is decided.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from dateutil.relativedelta import relativedelta

from loyalty.dates import parse_duration, start_of_day

END_OF_YEAR, END_OF_NEXT_YEAR = "END_OF_YEAR", "END_OF_NEXT_YEAR"


class Measure(StrEnum):
    """What is counted. STATUS_POINTS are the points of one type that exists for this."""

    POINTS_EARNED = "POINTS_EARNED"
    SPEND = "SPEND"
    VISITS = "VISITS"
    STATUS_POINTS = "STATUS_POINTS"


class Window(StrEnum):
    """Over which local days it is summed."""

    CALENDAR_YEAR = "CALENDAR_YEAR"
    ROLLING_MONTHS = "ROLLING_MONTHS"
    MEMBERSHIP_YEAR = "MEMBERSHIP_YEAR"


class Counts(StrEnum):
    """Whether points count when they are posted, or only once they are available."""

    POSTED = "POSTED"
    AVAILABLE = "AVAILABLE"


class Downgrade(StrEnum):
    """How far a member falls who no longer reaches the threshold."""

    ONE_DOWN = "ONE_DOWN"
    BY_MEASURE = "BY_MEASURE"
    NEVER = "NEVER"


class Threshold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a tier takes: points or visits as a number, spend as decimal text."""

    tier: str
    at_least: int | str


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A ladder as it is written and stored.

    `valid` is until when a tier holds once it is reached: END_OF_YEAR, END_OF_NEXT_YEAR, a
    duration, or null where it holds as long as the measure does.
    """

    measure: Measure
    window: Window
    thresholds: tuple[Threshold, ...]
    point_type: str | None = None
    months: int | None = None
    counts: Counts = Counts.POSTED
    downgrade: Downgrade = Downgrade.BY_MEASURE
    valid: str | None = None
    grace: str | None = None


@dataclass(frozen=True, slots=True)
class Rung:
    """A tier of the ladder; one without a threshold is reached by hand alone."""

    tier: str
    rank: int
    at_least: int | None


@dataclass(frozen=True, slots=True)
class Ladder:
    """A version of the ladder, compiled: rungs from the base up, thresholds in plain numbers.

    `point_types` are the ids of those whose points count; empty for spend and visits.
    """

    number: int
    effective_from: datetime
    definition: Definition
    rungs: tuple[Rung, ...]
    point_types: tuple[int, ...]
    zone: ZoneInfo

    def rung(self, tier: str) -> Rung:
        """Return a tier's rung."""
        return next(rung for rung in self.rungs if rung.tier == tier)

    def reached(self, have: int) -> Rung:
        """Return the highest rung that this measure reaches; the base at least."""
        climbed = [r for r in self.rungs if r.at_least is not None and r.at_least <= have]
        return climbed[-1] if climbed else self.rungs[0]

    def next_above(self, rank: int) -> Rung | None:
        """Return the next rung above a rank that can be climbed to."""
        return next((r for r in self.rungs if r.rank > rank and r.at_least is not None), None)

    def below(self, rank: int) -> Rung:
        """Return the next rung below a rank that a measure can reach; the base at least."""
        lower = [r for r in self.rungs if r.rank < rank and r.at_least is not None]
        return lower[-1] if lower else self.rungs[0]


@dataclass(frozen=True, slots=True)
class Days:
    """Local days from `first` up to, not including, `until`."""

    first: date
    until: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day < self.until


def window_of(definition: Definition, joined: date, day: date) -> Days:
    """Return the days that are summed for a day.

    `joined` is the local day of enrolment; who joined on a 29th of February has the 28th for
    anniversary in other years. The database has the same function (`members_window`).
    """
    if definition.window is Window.CALENDAR_YEAR:
        return Days(date(day.year, 1, 1), date(day.year + 1, 1, 1))
    if definition.window is Window.ROLLING_MONTHS:
        until = day + timedelta(days=1)
        return Days(until - relativedelta(months=definition.months or 12), until)
    years = day.year - joined.year
    if joined + relativedelta(years=years) > day:
        years -= 1
    return Days(joined + relativedelta(years=years), joined + relativedelta(years=years + 1))


def valid_until(ladder: Ladder, joined: date, day: date) -> datetime | None:
    """Return the exclusive end of a tier that is reached on a local day; None for no end.

    A year is the membership's where the window is, else the calendar's.
    """
    rule = ladder.definition.valid
    if rule is None:
        return None
    if rule in (END_OF_YEAR, END_OF_NEXT_YEAR):
        year = msgspec.structs.replace(ladder.definition, window=_year_of(ladder.definition))
        end = window_of(year, joined, day).until
        if rule == END_OF_NEXT_YEAR:
            end = window_of(year, joined, end).until
        return start_of_day(end, ladder.zone)
    duration = parse_duration(rule)
    return start_of_day(day + duration.calendar + timedelta(days=1), ladder.zone)


def _year_of(definition: Definition) -> Window:
    if definition.window is Window.MEMBERSHIP_YEAR:
        return Window.MEMBERSHIP_YEAR
    return Window.CALENDAR_YEAR


def grace_until(ladder: Ladder, end: datetime) -> datetime:
    """Return the instant from which a tier that ended at `end` may be lost."""
    if ladder.definition.grace is None:
        return end
    day = end.astimezone(ladder.zone).date() + parse_duration(ladder.definition.grace).calendar
    return max(end, start_of_day(day, ladder.zone))


@dataclass(frozen=True, slots=True)
class Held:
    """The tier a member holds: since when, and until when the ladder leaves it alone."""

    tier: str
    since: datetime | None
    until: datetime | None


def climb(ladder: Ladder, held: str, have: int, *, before: int | None = None) -> Rung | None:
    """Return the rung that a member moves up to, having so much; None to stay.

    With `before`, what the member had, only a threshold that was crossed counts: while a tier is
    held by hand, the rules raise it for what is new.
    """
    rung = ladder.reached(have)
    if rung.rank <= ladder.rung(held).rank:
        return None
    assert rung.at_least is not None
    return None if before is not None and before >= rung.at_least else rung


def review(
    ladder: Ladder, held: Held, have: int, *, joined: date, today: date, at: datetime
) -> Held:
    """Return what a member holds after the review at `at`; the same if nothing changes.

    `have` is the measure by which the tier may be kept: the best of today's window and of the
    one that ended with the tier's validity.
    """
    rung, reached = ladder.rung(held.tier), ladder.reached(have)
    if reached.rank > rung.rank:
        return Held(reached.tier, at, valid_until(ladder, joined, today))
    if rung == ladder.rungs[0] or ladder.definition.downgrade is Downgrade.NEVER:
        return Held(held.tier, held.since, None)
    if held.until is not None and at < held.until:
        kept = reached == rung and ladder.definition.valid is None
        return Held(held.tier, held.since, None) if kept else held
    last = today if held.until is None else _day_before(held.until, ladder.zone)
    if reached == rung:
        return Held(held.tier, held.since, _next_end(ladder, joined, last, today, at))
    if held.until is None:
        # Held without an end so far: it gets one, and the grace counts from it.
        end = valid_until(ladder, joined, today) or at
        return _fallen(ladder, held, reached, end, joined=joined, today=today, at=at)
    return _fallen(ladder, held, reached, held.until, joined=joined, today=today, at=at)


def _next_end(
    ladder: Ladder, joined: date, last: date, today: date, at: datetime
) -> datetime | None:
    """Return the end of a tier that was kept: counted from its last day, or else from today."""
    end = valid_until(ladder, joined, last)
    return end if end is None or end > at else valid_until(ladder, joined, today)


def _fallen(
    ladder: Ladder,
    held: Held,
    reached: Rung,
    end: datetime,
    *,
    joined: date,
    today: date,
    at: datetime,
) -> Held:
    """Return what a member holds who no longer reaches a tier that ended at `end`."""
    if at < end or at < grace_until(ladder, end):
        return Held(held.tier, held.since, end)
    if ladder.definition.downgrade is Downgrade.ONE_DOWN:
        reached = max(reached, ladder.below(ladder.rung(held.tier).rank), key=lambda r: r.rank)
    return settled_on(ladder, reached, joined=joined, today=today, at=at)


def settled_on(ladder: Ladder, rung: Rung, *, joined: date, today: date, at: datetime) -> Held:
    """Return a tier as it is entered at `at`; the base has no end."""
    if rung == ladder.rungs[0]:
        return Held(rung.tier, at, None)
    return Held(rung.tier, at, valid_until(ladder, joined, today))


def _day_before(end: datetime, zone: ZoneInfo) -> date:
    return (end - timedelta(microseconds=1)).astimezone(zone).date()


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A move of a member to a tier, as it stands in the member's history.

    `day` is the local day of the sale that caused it, if a sale did; `back_to` the posting of
    the sale whose return took a tier away; `transaction` what moved it. `had`, `had_since` and
    `had_until` are what was held.
    """

    at: datetime
    to: str
    had: str
    had_since: datetime | None = None
    had_until: datetime | None = None
    day: date | None = None
    back_to: datetime | None = None
    transaction: UUID | None = None


def held_before(
    ladder: Ladder, moves: Sequence[Move], sold_at: datetime, have_on: Callable[[date], int]
) -> Held | None:
    """Return what a member held before a sale was posted; None if nothing moved since.

    `moves` are in order. What was held counts only if it is still owed to anything: if a return
    went back to before an earlier sale, or the sale that led to it no longer carries it (as
    `have_on` tells for the window of its day), it is what was held before that one.
    """
    known = {rung.tier: rung for rung in ladder.rungs}
    while True:
        first = next((place for place, move in enumerate(moves) if move.at >= sold_at), None)
        if first is None:
            return None
        earlier, older = moves[first], None
        for move in moves:
            if move.back_to is not None and move.at >= sold_at > move.back_to:
                older = move.back_to
        entered = next((m for m in reversed(moves[:first]) if m.to == earlier.had), None)
        if older is None and entered is not None and entered.day is not None:
            threshold = known[earlier.had].at_least if earlier.had in known else None
            if threshold is not None and have_on(entered.day) < threshold:
                older = entered.at
        if older is None:
            return Held(earlier.had, earlier.had_since, earlier.had_until)
        sold_at = older


def revoke(
    ladder: Ladder,
    held: Held,
    have: int,
    earlier: Held | None,
    *,
    joined: date,
    today: date,
    at: datetime,
) -> Held:
    """Return what is held once a sale was taken back that the tier was entered at or after.

    The tier goes at once if the measure no longer reaches it: down to what the measure reaches,
    or to what was held before the sale, if that would still be held.
    """
    rung, reached = ladder.rung(held.tier), ladder.reached(have)
    if earlier is None or reached.rank >= rung.rank:
        return held
    still = earlier.until is None or at < grace_until(ladder, earlier.until)
    before = ladder.rung(earlier.tier)
    if still and reached.rank <= before.rank < rung.rank:
        return earlier
    if before.rank >= rung.rank:
        return held
    return settled_on(ladder, reached, joined=joined, today=today, at=at)


def after_override(
    ladder: Ladder,
    held: Held,
    have: int,
    earlier: Held,
    *,
    joined: date,
    today: date,
    at: datetime,
) -> Held:
    """Return what is held when a tier given by hand ends: the rules decide again."""
    reached = ladder.reached(have)
    before = ladder.rung(earlier.tier)
    still = earlier.until is None or at < grace_until(ladder, earlier.until)
    if still and before.rank >= reached.rank:
        return earlier if earlier.tier != held.tier else Held(held.tier, held.since, earlier.until)
    entered = settled_on(ladder, reached, joined=joined, today=today, at=at)
    return Held(held.tier, held.since, entered.until) if reached.tier == held.tier else entered


def compile_ladder(
    definition: Definition,
    *,
    number: int,
    effective_from: datetime,
    tiers: Iterable[tuple[str, int]],
    point_types: tuple[int, ...],
    places: int,
    zone: ZoneInfo,
) -> Ladder:
    """Return a definition as it is worked with; `tiers` are all, as (code, rank), in any order.

    `places` are the decimal places of the programme's currency.
    """
    wanted = {each.tier: amount_of(each, places) for each in definition.thresholds}
    rungs = [Rung(code, rank, wanted.get(code)) for code, rank in sorted(tiers, key=_rank)]
    rungs[0] = Rung(rungs[0].tier, rungs[0].rank, 0)
    return Ladder(number, effective_from, definition, tuple(rungs), point_types, zone)


def _rank(tier: tuple[str, int]) -> int:
    return tier[1]


def amount_of(threshold: Threshold, places: int) -> int:
    """Return a threshold as a plain number: decimal text in minor units."""
    if isinstance(threshold.at_least, int):
        return threshold.at_least
    whole, _, fraction = threshold.at_least.partition(".")
    return int(whole + fraction.ljust(places, "0")[:places])
