"""The whole history of evaluations, computed again from what was stored."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from ledger.queries.configuration import configuration
from promotions.models import Evaluation
from promotions.queries import (
    awards_again,
    first_awards,
    first_rewards,
    recompute,
    rewards_again,
)
from promotions.services.snapshot import snapshot_of

CHUNK = 2000
Awards = list[tuple[int, int | None, str, int]]


@dataclass(frozen=True, slots=True)
class Difference:
    """An evaluation that comes out otherwise than it did."""

    transaction_id: UUID
    first: Awards
    again: Awards


@dataclass(slots=True)
class Chunk:
    """What came of some of the evaluations: the same, without facts, or different."""

    same: int = 0
    gone: int = 0
    differences: list[Difference] = field(default_factory=list)


def stored_evaluations() -> int:
    """Return how many evaluations are stored. One query."""
    return Evaluation.objects.count()


def replay() -> Iterator[Chunk]:
    """Recompute every evaluation, in chunks by key; memory is that of one chunk."""
    snapshot = snapshot_of(configuration())
    last: UUID | None = None
    while True:
        rows = Evaluation.objects.order_by("pk")
        if last is not None:
            rows = rows.filter(pk__gt=last)
        chunk, page = Chunk(), list(rows[:CHUNK])
        if not page:
            return
        for row in page:
            outcome = recompute(row, snapshot)
            if outcome is None:
                chunk.gone += 1
                continue
            first = first_awards(row.result) + first_rewards(row.result)
            again = awards_again(outcome) + rewards_again(outcome, row.result)
            if first == again:
                chunk.same += 1
            else:
                chunk.differences.append(Difference(row.pk, first, again))
        yield chunk
        last = page[-1].pk
