"""CSV that people open in a spreadsheet: quoted, and never a formula."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

CSV = "text/csv; charset=utf-8"
# A cell that begins so is run as a formula when a spreadsheet opens the file (OWASP).
_RUNS = ("=", "+", "-", "@", "\t", "\r")
ROWS_AT_ONCE = 1_000


def guarded(value: Any) -> str:
    """Return a cell's text, behind an apostrophe where a spreadsheet would run it as a formula."""
    if isinstance(value, int | Decimal):
        return str(value)  # A number below zero is none.
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_RUNS) else text


def as_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Yield a CSV file (RFC 4180, UTF-8) in pieces, so that a long one is never held whole."""
    piece = io.StringIO()
    write = csv.writer(piece).writerow
    write(header)
    for count, row in enumerate(rows, 1):
        write([guarded(value) for value in row])
        if count % ROWS_AT_ONCE == 0:
            yield piece.getvalue().encode()
            piece.seek(0)
            piece.truncate()
    yield piece.getvalue().encode()
