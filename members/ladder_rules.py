"""What a definition of the ladder may say: every contradiction with its pointer."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from loyalty.dates import parse_duration
from members.ladder import (
    END_OF_NEXT_YEAR,
    END_OF_YEAR,
    Counts,
    Definition,
    Downgrade,
    Measure,
    Window,
    amount_of,
)

MONTHS_MAX = 60


@dataclass(frozen=True, slots=True)
class Invalid:
    """What is wrong with a definition: where, and in words."""

    pointer: str
    message: str


def check(
    definition: Definition, *, ranks: Mapping[str, int], point_types: Iterable[str], places: int
) -> Iterator[Invalid]:
    """Yield what is wrong with a definition; `ranks` are those of all tiers, by code.

    `places` are the decimal places of the programme's currency.
    """
    counts_points = definition.measure in (Measure.POINTS_EARNED, Measure.STATUS_POINTS)
    if definition.measure is Measure.STATUS_POINTS and definition.point_type is None:
        yield Invalid("/point_type", "Name the point type whose points give status.")
    if definition.point_type is not None and not counts_points:
        yield Invalid("/point_type", "Only a measure of points has a point type.")
    elif definition.point_type is not None and definition.point_type not in set(point_types):
        yield Invalid("/point_type", "There is no such point type.")
    if definition.counts is Counts.AVAILABLE and not counts_points:
        yield Invalid("/counts", "Only points become available.")
    rolling = definition.window is Window.ROLLING_MONTHS
    if rolling != (definition.months is not None):
        yield Invalid("/months", "A rolling window needs its months; the others have none.")
    elif rolling and not 1 <= (definition.months or 0) <= MONTHS_MAX:
        yield Invalid("/months", f"Give 1 to {MONTHS_MAX} months.")
    yield from _check_ends(definition)
    yield from _check_thresholds(definition, ranks, places)


def _check_ends(definition: Definition) -> Iterator[Invalid]:
    never = definition.downgrade is Downgrade.NEVER
    if never and (definition.valid or definition.grace):
        yield Invalid("/downgrade", "Tiers that are never lost have no validity and no grace.")
    elif not never and definition.valid is None and definition.window is not Window.ROLLING_MONTHS:
        yield Invalid("/valid", "A year begins empty: say until when a tier holds.")
    if definition.downgrade is Downgrade.ONE_DOWN and not (definition.valid or definition.grace):
        yield Invalid("/downgrade", "One tier at a time needs a validity or a grace in between.")
    if definition.valid not in (None, END_OF_YEAR, END_OF_NEXT_YEAR):
        yield from _check_duration("/valid", definition.valid or "")
    if definition.grace is not None:
        yield from _check_duration("/grace", definition.grace)


def _check_duration(pointer: str, text: str) -> Iterator[Invalid]:
    try:
        if not parse_duration(text).clock:
            return
    except ValueError:
        pass
    yield Invalid(pointer, "Give a duration of days, months or years, such as P12M.")


_MONEY = re.compile(r"[0-9]{1,12}(?:\.([0-9]{1,4}))?")


def _check_thresholds(
    definition: Definition, ranks: Mapping[str, int], places: int
) -> Iterator[Invalid]:
    if not definition.thresholds:
        yield Invalid("/thresholds", "A ladder has a threshold at least.")
    base = min(ranks.values())
    last_rank, last_amount = base, 0
    for place, threshold in enumerate(definition.thresholds):
        pointer = f"/thresholds/{place}"
        rank = ranks.get(threshold.tier)
        if rank is None or rank == base:
            yield Invalid(f"{pointer}/tier", "Name a tier above the base.")
            return
        if rank <= last_rank:
            yield Invalid(f"{pointer}/tier", "Name the tiers from the lowest up, each once.")
            return
        if wrong := _amount_wrong(definition, threshold.at_least, places):
            yield Invalid(f"{pointer}/at_least", wrong)
            return
        amount = amount_of(threshold, places)
        if amount <= last_amount:
            yield Invalid(f"{pointer}/at_least", "Each tier takes more than the one below it.")
            return
        last_rank, last_amount = rank, amount


def _amount_wrong(definition: Definition, at_least: int | str, places: int) -> str | None:
    if definition.measure is not Measure.SPEND:
        wrong = not isinstance(at_least, int) or not 1 <= at_least <= 10**15
        return "Give a whole number above zero." if wrong else None
    match = _MONEY.fullmatch(at_least) if isinstance(at_least, str) else None
    if match is None or len((match[1] or "").rstrip("0")) > places:
        return "Give an amount in the programme's currency, such as 500.00."
    return None
