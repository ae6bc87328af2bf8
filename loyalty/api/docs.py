"""The page that explains every error code."""

import re
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.utils.html import escape

ERRORS = Path(__file__).parent.parent.parent / "docs" / "errors.md"


def error_page(request: HttpRequest) -> HttpResponse:
    """Show `docs/errors.md`; each code is an anchor, as a problem's `type` says."""
    lines = []
    for line in ERRORS.read_text().splitlines():
        if match := re.fullmatch(r"(#+) (.+)", line):
            level, text = len(match[1]), escape(match[2].strip("`"))
            lines.append(f'<h{level} id="{text}">{text}</h{level}>')
        elif line:
            shown = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(line))
            lines.append(f"<p>{shown}</p>")
    style = "body{font:16px/1.5 system-ui;max-width:44rem;margin:2rem auto;padding:0 1rem}"
    return HttpResponse(
        f"<!doctype html><meta charset=utf-8><title>Laurel: errors</title><style>{style}</style>"
        + "\n".join(lines)
    )
