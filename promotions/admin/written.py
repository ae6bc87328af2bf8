"""How people write parts of a definition in the back office, and how these are read."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

_LINE = re.compile(
    r"^(?:(?P<quantity>\d+(?:\.\d+)?)\s*[x×]\s*)?(?P<amount>\d+(?:\.\d+)?)(?P<rest>.*)$"
)
_KEYS = ("sku", "category", "brand", "discount", "tax")
_EXPECTED = re.compile(r"^(\d+)\s+(?:(VOUCHER|TICKET)\s+)?([A-Z0-9][A-Z0-9._-]*)$")
_PLAIN = frozenset({"amount", "quantity", *_KEYS})


def codes(text: str) -> list[str]:
    """Return what commas or line ends separate, each once."""
    parts = (part.strip() for part in re.split(r"[,\n]", text))
    return list(dict.fromkeys(part for part in parts if part))


def number(text: str) -> int | str:
    """Return a whole number as one, anything else as it is written: money."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() else text


def read_lines(text: str) -> list[dict[str, Any]]:
    """Return the lines of a basket: `2 x 5.98 sku=1095275 category=COFFEE`, one a line.

    :raises ValueError: with the number of the line that is none.
    """
    lines = []
    for place, row in enumerate((row.strip() for row in text.splitlines()), 1):
        if not row:
            continue
        found = _LINE.match(row)
        if found is None:
            raise ValueError(f"Line {place}: begin with a price, such as 5.98 or 2 x 5.98.")
        line: dict[str, Any] = {"amount": found["amount"]}
        if found["quantity"]:
            line["quantity"] = found["quantity"]
        for word in found["rest"].split():
            key, _, value = word.partition("=")
            if key not in _KEYS or not value:
                raise ValueError(f"Line {place}: {word} is none of {', '.join(_KEYS)}.")
            line[key] = value
        lines.append(line)
    return lines


def write_lines(lines: Iterable[Mapping[str, Any]]) -> str | None:
    """Return lines as people write them; None where that would lose something."""
    rows = []
    for line in lines:
        words = [f"{key}={line[key]}" for key in _KEYS if key in line]
        start = f"{line['quantity']} x " if "quantity" in line else ""
        rows.append(" ".join([f"{start}{line.get('amount')}", *words]))
    text = "\n".join(rows)
    try:
        return text if read_lines(text) == [dict(line) for line in lines] else None
    except ValueError:
        return None


def read_expected(text: str) -> dict[str, list[dict[str, Any]]]:
    """Return what a rule test expects: `12 PTS, 1 VOUCHER FIVE`.

    :raises ValueError: with the part that cannot be read.
    """
    points, rewards = [], []
    for part in codes(text):
        found = _EXPECTED.match(part)
        if found is None:
            raise ValueError(f"{part} is not like 12 PTS or 1 VOUCHER FIVE.")
        count, kind, code = int(found[1]), found[2], found[3]
        if kind:
            rewards.append({"kind": kind, "code": code, "quantity": count})
        else:
            points.append({"type": code, "points": count})
    return {"points": points, "rewards": rewards}


def write_expected(test: Mapping[str, Any]) -> str:
    """Return what a rule test expects as people write it."""
    parts = [f"{each['points']} {each['type']}" for each in test.get("points", ())]
    parts += [
        f"{each['quantity']} {each['kind']} {each['code']}" for each in test.get("rewards", ())
    ]
    return ", ".join(parts)


def read_json(text: str) -> dict[str, Any]:
    """Return a JSON object; nothing is an empty one.

    :raises ValueError: if it is not one.
    """
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("This is not JSON.") from None
    if not isinstance(found, dict):
        raise ValueError("Write a JSON object: {…}.")
    return found


def write_json(content: Any) -> str:
    """Return JSON as people read it; nothing for an empty object."""
    return json.dumps(content, ensure_ascii=False, indent=1) if content else ""
