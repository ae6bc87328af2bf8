"""Plain tables on the back office's pages."""

from collections.abc import Iterable
from typing import Any

from django.utils.html import format_html, format_html_join


def table(names: list[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return rows as a plain table; every cell is escaped."""
    head = format_html_join("", "<th style='padding:0 1rem 0 0'>{}</th>", ((n,) for n in names))
    cells = "<td style='padding:0 1rem 0 0'>{}</td>"
    body = format_html_join(
        "",
        "<tr>{}</tr>",
        ((format_html_join("", cells, ((cell,) for cell in row)),) for row in rows),
    )
    return format_html("<table><tr>{}</tr>{}</table>", head, body)
