"""The postings of a call that makes several, as they are answered and kept."""

from collections.abc import Iterable
from typing import Any

from ledger.queries.configuration import Configuration
from ledger.queries.history import Posted


def told_of_parts(parts: Iterable[Posted], settings: Configuration) -> list[dict[str, Any]]:
    """Return each posting of a call: what it is, and what it did to which point type."""
    codes = {key: facts.code for key, facts in settings.point_types.items()}
    return [
        {
            "id": str(part.id),
            "kind": part.kind,
            "original": None if part.original is None else str(part.original),
            "points": [{"type": codes[each.type], "points": each.points} for each in part.effects],
        }
        for part in parts
    ]
