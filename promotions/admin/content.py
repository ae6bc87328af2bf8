"""Between a promotion's form and its definition: the fields are named by their pointers.

`award__points` is `/award/points`. What a definition says and the form has no field for does not
exist: the form holds all of it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from promotions.admin import written

PARTS = {
    "": ("name", "trigger", "event", "funded_by", "visible", "condition", "pending", "weekdays"),
    "audience": ("segments", "not_segments", "tiers", "stages", "partners", "outlets", "channels"),
    "minimum": ("amount", "quantity"),
    "award": (
        *("kind", "type", "points", "per", "factor", "voucher_type", "sweepstake", "quantity"),
        *("rounding", "scope"),
    ),
    "combination": ("priority", "group", "stackable", "base", "multiply"),
}
LISTS = ("coupons", "not_tenders")
INSTANTS = ("effective_from", "active_from", "active_to")


def initial_of(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a form shows of a definition."""
    shown: dict[str, Any] = {}
    for part, names in PARTS.items():
        held = definition.get(part) or {} if part else definition
        for name in names:
            if held.get(name) is not None:
                shown[f"{part}__{name}" if part else name] = held[name]
    shown["audience__guests"] = (definition.get("audience") or {}).get("guests", False)
    shown |= {name: definition.get(name) or [] for name in LISTS}
    shown |= {name: _instant(definition.get(name)) for name in INSTANTS}
    hours = definition.get("hours") or {}
    shown |= {"hours__from": hours.get("from"), "hours__to": hours.get("to")}
    lines = definition.get("lines") or {}
    for side in ("include", "exclude"):
        wanted = lines.get(side) or {}
        shown[f"lines__{side}"] = [
            {"key": key, "values": ", ".join(values)} for key, values in wanted.items()
        ]
    bands = (definition.get("award") or {}).get("bands") or []
    shown["award__bands"] = [{**band, "start": band["from"]} for band in bands]
    shown["limits"] = list(definition.get("limits") or [])
    for part, names in (
        ("budget", ("measure", "at_most", "then")),
        ("expiry", ("after", "from", "round_up")),
    ):
        held = definition.get(part) or {}
        shown |= {f"{part}__{name}": held[name] for name in names if name in held}
    texts = definition.get("texts") or {}
    shown["texts"] = [{"language": language, **each} for language, each in texts.items()]
    shown["tests"] = [_test_row(test) for test in definition.get("tests") or []]
    return shown


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def content_of(given: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definition that a form's cleaned fields say. An instant that is as before stays.

    `before` is the definition that the form was shown with.
    """
    content: dict[str, Any] = {}
    for part, names in PARTS.items():
        held = content if not part else content.setdefault(part, {})
        for name in names:
            value = given.get(f"{part}__{name}" if part else name)
            if value not in (None, "", []):
                held[name] = value
    content["audience"]["guests"] = bool(given.get("audience__guests"))
    content |= {name: given[name] for name in LISTS if given.get(name)}
    for name in INSTANTS:
        if given.get(name):
            content[name] = _as_before(given[name], before.get(name))
    if given.get("hours__from") or given.get("hours__to"):
        pair = {"from": given.get("hours__from"), "to": given.get("hours__to")}
        content["hours"] = {name: each.isoformat() if each else None for name, each in pair.items()}
    content["lines"] = {
        side: _lines(given.get(f"lines__{side}")) for side in ("include", "exclude")
    }
    if bands := given.get("award__bands"):
        content["award"]["bands"] = [_band(band) for band in bands]
    content["limits"] = [_without_nothing(limit) for limit in given.get("limits") or []]
    if given.get("budget__at_most"):
        content["budget"] = {
            "measure": given["budget__measure"] or "POINTS",
            "at_most": written.number(given["budget__at_most"]),
            "then": given["budget__then"] or "REDUCE",
        }
    if given.get("expiry__after"):
        names = ("after", "from", "round_up")
        content["expiry"] = {name: given[f"expiry__{name}"] for name in names}
    content["texts"] = {
        row["language"]: {name: row[name] for name in ("title", "body", "terms")}
        for row in given.get("texts") or []
    }
    content["tests"] = [_test(row) for row in given.get("tests") or []]
    return content


def _as_before(value: datetime, before: str | None) -> str:
    """Return an instant as text; one that the form only cut to the second is as it was."""
    known = _instant(before)
    if before is not None and known is not None and known.replace(microsecond=0) == value:
        return before
    return value.isoformat()


def _lines(rows: Any) -> dict[str, list[str]]:
    wanted: dict[str, list[str]] = {}
    for row in rows or []:
        wanted.setdefault(row["key"], []).extend(row["values"])
    return wanted


def _band(row: Mapping[str, Any]) -> dict[str, Any]:
    band = {"from": row["start"], "points": row["points"]}
    return {**band, "per": row["per"]} if row["per"] else band


def _without_nothing(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value not in (None, "")}


def _test_row(test: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule test as a row; what the row has no cell for is in `more`."""
    basket = dict(test.get("basket") or {})
    more: dict[str, Any] = {}
    row = {"name": test.get("name"), "at": basket.pop("occurred_at", ""), "who": "MEMBER"}
    lines = basket.get("lines")
    if lines and (text := written.write_lines(lines)) is not None:
        row["lines"] = text
        del basket["lines"]
    member = test.get("member", {})
    if member is None:
        row["who"] = "GUEST"
    else:
        row["tier"] = member.get("tier")
        rest = {name: value for name, value in member.items() if _says(name, value)}
        if rest:
            more["member"] = rest
    row["expects"] = written.write_expected(test)
    row["more"] = written.write_json({**basket, **more})
    return row


def _says(name: str, value: Any) -> bool:
    """Return whether a member of a test says more than every member does."""
    return name != "tier" and value not in (None, {}) and (name, value) != ("stage", "ACTIVE")


def _test(row: Mapping[str, Any]) -> dict[str, Any]:
    more = dict(row["more"])
    member = more.pop("member", None) or {}
    if row.get("tier"):
        member["tier"] = row["tier"]
    basket = {"occurred_at": row["at"], **more}
    if row["lines"]:
        basket["lines"] = row["lines"]
    return {
        "name": row["name"],
        "basket": basket,
        "member": None if row["who"] == "GUEST" else member,
        **row["expects"],
    }
