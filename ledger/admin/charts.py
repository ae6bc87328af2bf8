"""Charts of the back office, as Unfold's components take them."""

import json
from collections.abc import Sequence

COLORS = ("#6d8f3c", "#b5893b", "#4b7f96", "#9c4f4f", "#7a6a9b", "#5d6b5f")
# Stacked bars; below zero is what is paid.
STACKED = json.dumps(
    {
        "responsive": True,
        "maintainAspectRatio": False,
        "plugins": {"legend": {"display": True, "position": "bottom"}},
        "scales": {"x": {"stacked": True}, "y": {"stacked": True}},
    }
)


def bars(labels: Sequence[str], series: Sequence[tuple[str, Sequence[float]]]) -> str:
    """Return named series over the same labels as a bar chart's data."""
    return json.dumps(
        {
            "labels": list(labels),
            "datasets": [
                {"label": name, "data": list(values), "backgroundColor": COLORS[n % len(COLORS)]}
                for n, (name, values) in enumerate(series)
            ],
        }
    )
