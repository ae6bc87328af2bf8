"""The report of a trial as a file for a spreadsheet: one row for each of its sums."""

from collections.abc import Iterator
from typing import Any

from loyalty.spreadsheet import as_csv

HEADER = ("sales", "touched", "members", "given", "value", "before", "after")
OF_OTHERS = ("together", "lost", "before", "after")
_FILE = ("kind", "name", "gives", *HEADER, "together", "lost")


def csv_rows(report: dict[str, Any]) -> Iterator[bytes]:
    """Yield a report as CSV: its sums, what it does to other promotions, its days and notes."""
    yield from as_csv(_FILE, (tuple(row.get(name) for name in _FILE) for row in _rows(report)))


def _rows(report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"kind": "TOTAL", "name": report["promotion"], "gives": report["gives"]} | report["total"]
    for kind, name in (("WEEK", "weeks"), ("TIER", "tiers"), ("SEGMENT", "segments")):
        for row in report[name]:
            yield {"kind": kind, **row}
    for other in report["others"]:
        sums = {name: other[name] for name in OF_OTHERS}
        yield {"kind": "OTHER", "name": other["promotion"], "gives": other["gives"], **sums}
    for day, given in report["days"]:
        yield {"kind": "DAY", "name": day, "given": given}
    for note in report["notes"]:
        yield {"kind": "NOTE", "name": note}
