"""Plain tables on the back office's pages."""

from collections.abc import Iterable
from typing import Any

from django.utils.html import format_html, format_html_join

CELL = "padding:.15rem 1.25rem .15rem 0;text-align:left;vertical-align:top"


def table(names: list[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return rows as a plain table, or a dash where there are none; every cell is escaped."""
    kept = list(rows)
    if not kept:
        return "-"
    head = format_html_join("", f"<th style='{CELL}'>{{}}</th>", ((n,) for n in names))
    cells = f"<td style='{CELL}'>{{}}</td>"
    body = format_html_join(
        "",
        "<tr>{}</tr>",
        ((format_html_join("", cells, ((cell,) for cell in row)),) for row in kept),
    )
    return format_html("<table><tr>{}</tr>{}</table>", head, body)
