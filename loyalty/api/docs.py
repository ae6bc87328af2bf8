"""The page that explains every error code."""

import re
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.utils.html import escape

ERRORS = Path(__file__).parent.parent.parent / "docs" / "errors.md"


def error_page(request: HttpRequest) -> HttpResponse:
    """Show `docs/errors.md`; each code is an anchor, as a problem's `type` says."""
    parts = []
    apart = re.sub(r"(?m)^(#+ .+)$", r"\n\1\n", ERRORS.read_text())
    for part in apart.split("\n\n"):
        text = " ".join(part.split())
        if match := re.fullmatch(r"(#+) (.+)", text):
            level, name = len(match[1]), escape(match[2].strip("`"))
            parts.append(f'<h{level} id="{name}">{name}</h{level}>')
        elif text:
            shown = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
            parts.append(f"<p>{shown}</p>")
    style = "body{font:16px/1.5 system-ui;max-width:44rem;margin:2rem auto;padding:0 1rem}"
    return HttpResponse(
        f"<!doctype html><meta charset=utf-8><title>Laurel: errors</title><style>{style}</style>"
        + "\n".join(parts)
    )
