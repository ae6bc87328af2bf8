"""The pure engine against the number of live promotions."""

import random
import time
import timeit
from datetime import UTC, datetime
from functools import partial

import msgspec

from promotions.engine.conditions import applies, matches
from promotions.engine.definition import Definition
from promotions.engine.evaluate import evaluate
from promotions.engine.snapshot import Snapshot
from promotions.engine.types import PIECE, Line, MemberFacts, Purchase
from promotions.engine.versions import Version, compile_version

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
MEMBER = MemberFacts("BASE", "ACTIVE")


def measure(count: int) -> tuple[int, float, float]:
    """Return the number of promotions, the engine's µs for a basket of 10 lines, a naive loop's.

    20,000 products, 300 categories, 50 partners: as in a large grocery programme.
    """
    chance = random.Random(1)  # noqa: S311
    versions = [_version(number, chance) for number in range(count)]
    snapshot = Snapshot(versions)
    lines = tuple(
        Line(n, f"SKU{chance.randrange(20_000)}", PIECE, 499, path=(f"CAT{chance.randrange(300)}",))
        for n in range(1, 11)
    )
    basket = Purchase(SINCE, SINCE, "P1", "EUR", lines)

    def naive() -> None:
        for version in versions:
            if applies(version, basket, MEMBER) is None:
                any(matches(version, line) for line in lines)

    runs, timer = 300, time.process_time  # The processor's time: what else runs does not count.
    once = partial(evaluate, basket, MEMBER, snapshot)
    micros = min(timeit.repeat(once, number=runs, repeat=5, timer=timer))
    looped = min(timeit.repeat(naive, number=3, repeat=3, timer=timer))
    return count, micros / runs * 1e6, looped / 3 * 1e6


def _version(number: int, chance: random.Random) -> Version:
    kinds = [
        {"lines": {"include": {"sku": [f"SKU{chance.randrange(20_000)}" for _ in range(5)]}}},
        {"lines": {"include": {"category": [f"CAT{chance.randrange(300)}"]}}},
        {"audience": {"partners": [f"P{chance.randrange(2, 50)}"]}},
    ]
    award = {"kind": "PER_AMOUNT", "type": "PTS", "points": 1, "per": "1.00"}
    content = {"name": "x", "award": award, **chance.choice(kinds)}
    return compile_version(
        id=number + 1,
        promotion=f"P{number}",
        number=1,
        live=[(SINCE, None)],
        definition=msgspec.convert(content, Definition),
        currency="EUR",
    )
