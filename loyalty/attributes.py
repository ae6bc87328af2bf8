"""Typed attributes that a programme defines: of masters, members and events. Pure.

A schema names attributes and says what each may hold:

    {"brand":   {"type": "TEXT", "required": true, "max_length": 40},
     "weight":  {"type": "DECIMAL", "minimum": "0", "maximum": "999.999"},
     "color":   {"type": "CHOICE", "choices": ["RED", "BLUE"], "default": "RED"},
     "launched": {"type": "DATE"},
     "allergens": {"type": "LIST", "of": {"type": "TEXT"}}}

TEXT is text, INTEGER a whole number, DECIMAL decimal text such as "12.50", BOOLEAN true or false,
DATE text such as "2026-01-31", CHOICE one of `choices`, and LIST several of what `of` says. Null is
the same as nothing. An empty schema allows no attribute.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from loyalty.errors import FieldError

TYPES = ("TEXT", "INTEGER", "DECIMAL", "BOOLEAN", "DATE", "CHOICE", "LIST")
ATTRIBUTES_MAX = 100
CHOICES_MAX = 500
ITEMS_MAX = 200
TEXT_MAX = 4000
WHOLE_MAX = 2**53 - 1  # What every JSON reader takes for a whole number exactly.

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_COMMON = frozenset({"type", "required", "default", "label"})
_OWN = {
    "TEXT": frozenset({"max_length"}),
    "INTEGER": frozenset({"minimum", "maximum"}),
    "DECIMAL": frozenset({"minimum", "maximum"}),
    "CHOICE": frozenset({"choices"}),
    "LIST": frozenset({"of"}),
}


class _Fault(NamedTuple):
    """What is wrong at `pointer`, relative to what was looked at."""

    pointer: str
    code: str
    message: str


def check_schema(schema: Any, *, pointer: str = "/schema") -> list[FieldError]:
    """Return what is wrong with a schema; nothing if it may be stored."""
    if not isinstance(schema, Mapping):
        return [FieldError(pointer, "WRONG_TYPE", "Give an object of attributes by their names.")]
    if len(schema) > ATTRIBUTES_MAX:
        message = f"A schema has at most {ATTRIBUTES_MAX} attributes."
        return [FieldError(pointer, "TOO_MANY", message)]
    faults = []
    for name, definition in schema.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            message = "Names are lower case: a-z, then a-z, 0-9 and _, at most 64."
            faults.append(_Fault(f"/{_step(name)}", "NOT_IN_FORM", message))
            continue
        faults.extend(_below(name, _definition_faults(definition)))
    return _errors(faults, pointer)


def validate(
    schema: Mapping[str, Any], values: Any, *, pointer: str = "/attributes"
) -> list[FieldError]:
    """Return what is wrong with `values` by a schema that `check_schema` found good.

    Unknown attributes are refused; a missing one is wrong only where it is required and has no
    default.
    """
    if not isinstance(values, Mapping):
        return [FieldError(pointer, "WRONG_TYPE", "Give an object of attributes by their names.")]
    faults = []
    for name in values:
        if name not in schema:
            message = "The schema has no such attribute."
            faults.append(_Fault(f"/{_step(name)}", "UNKNOWN_FIELD", message))
    for name, definition in schema.items():
        value = values.get(name)
        if value is not None:
            faults.extend(_below(name, _value_faults(definition, value)))
        elif definition.get("required") and definition.get("default") is None:
            faults.append(_Fault(f"/{name}", "MISSING_FIELD", "The attribute is required."))
    return _errors(faults, pointer)


def complete(schema: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return valid values as they are stored: without nulls, and with the schema's defaults."""
    given = {name: value for name, value in values.items() if value is not None}
    defaults = {
        name: definition["default"]
        for name, definition in schema.items()
        if definition.get("default") is not None
    }
    return {**defaults, **given}


def _definition_faults(definition: Any) -> list[_Fault]:
    if not isinstance(definition, Mapping):
        return [_Fault("", "WRONG_TYPE", "Give an object with a type.")]
    kind = definition.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        return [_Fault("/type", "NOT_A_CHOICE", f"Give one of {', '.join(TYPES)}.")]
    faults = [
        _Fault(f"/{_step(key)}", "UNKNOWN_FIELD", f"{kind} takes no such field.")
        for key in definition
        if key not in _COMMON | _OWN.get(kind, frozenset())
    ]
    if not isinstance(definition.get("required", False), bool):
        faults.append(_Fault("/required", "WRONG_TYPE", "Give true or false."))
    label = definition.get("label", "")
    if not isinstance(label, str) or len(label) > 200 or "\0" in label:  # noqa: PLR2004 as names
        faults.append(_Fault("/label", "TOO_LONG", "Give text of at most 200 characters."))
    faults.extend(_OWN_FAULTS.get(kind, _no_faults)(definition))
    default = definition.get("default")
    if not faults and default is not None:
        faults.extend(_below("default", _value_faults(definition, default)))
    return faults


def _no_faults(definition: Mapping[str, Any]) -> list[_Fault]:
    return []


def _text_faults(definition: Mapping[str, Any]) -> list[_Fault]:
    longest = definition.get("max_length", TEXT_MAX)
    if not _is_whole(longest) or not 1 <= longest <= TEXT_MAX:
        message = f"Give a whole number from 1 to {TEXT_MAX}."
        return [_Fault("/max_length", "OUT_OF_RANGE", message)]
    return []


def _bound_faults(definition: Mapping[str, Any]) -> list[_Fault]:
    """Return what is wrong with the bounds of a number."""
    plain = {"type": definition["type"]}
    given = {
        name: definition[name]
        for name in ("minimum", "maximum")
        if definition.get(name) is not None
    }
    faults = [fault for name, v in given.items() for fault in _below(name, _value_faults(plain, v))]
    if not faults and len(given) == 2:  # noqa: PLR2004 both
        lowest, highest = (Decimal(given[name]) for name in ("minimum", "maximum"))
        if lowest > highest:
            faults.append(_Fault("/maximum", "OUT_OF_RANGE", "The maximum is below the minimum."))
    return faults


def _choice_faults(definition: Mapping[str, Any]) -> list[_Fault]:
    choices = definition.get("choices")
    if not isinstance(choices, list) or not 1 <= len(choices) <= CHOICES_MAX:
        return [_Fault("/choices", "WRONG_TYPE", f"Give a list of 1 to {CHOICES_MAX} texts.")]
    faults = []
    for place, choice in enumerate(choices):
        if not _is_text(choice, 200) or not choice:
            message = "Give text of 1 to 200 characters."
            faults.append(_Fault(f"/choices/{place}", "WRONG_TYPE", message))
        elif choice in choices[:place]:
            faults.append(_Fault(f"/choices/{place}", "REPEATED", "A choice is named once."))
    return faults


def _list_faults(definition: Mapping[str, Any]) -> list[_Fault]:
    of = definition.get("of")
    if isinstance(of, Mapping) and of.get("type") == "LIST":
        return [_Fault("/of/type", "NOT_A_CHOICE", "A list holds no lists.")]
    faults = list(_below("of", _definition_faults(of)))
    if isinstance(of, Mapping):
        for name in ("required", "default"):
            if name in of:
                message = "What a list holds is neither required nor given by default."
                faults.append(_Fault(f"/of/{name}", "UNKNOWN_FIELD", message))
    return faults


_OWN_FAULTS: dict[str, Callable[[Mapping[str, Any]], list[_Fault]]] = {
    "TEXT": _text_faults,
    "INTEGER": _bound_faults,
    "DECIMAL": _bound_faults,
    "CHOICE": _choice_faults,
    "LIST": _list_faults,
}


def _value_faults(definition: Mapping[str, Any], value: Any) -> list[_Fault]:
    return _VALUE_FAULTS[definition["type"]](definition, value)


def _of_text(definition: Mapping[str, Any], value: Any) -> list[_Fault]:
    longest = definition.get("max_length", TEXT_MAX)
    if not isinstance(value, str) or "\0" in value:
        return [_Fault("", "WRONG_TYPE", "Give text.")]
    if len(value) > longest:
        return [_Fault("", "TOO_LONG", f"Give at most {longest} characters.")]
    return []


def _of_integer(definition: Mapping[str, Any], value: Any) -> list[_Fault]:
    if not _is_whole(value):
        return [_Fault("", "WRONG_TYPE", "Give a whole number, without quotes.")]
    if abs(value) > WHOLE_MAX:
        return [_Fault("", "OUT_OF_RANGE", f"Give a number of at most {WHOLE_MAX}.")]
    return _out_of_bounds(definition, value)


def _of_decimal(definition: Mapping[str, Any], value: Any) -> list[_Fault]:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        message = "Give decimal text such as 12.50: up to 15 digits and 6 places."
        return [_Fault("", "NOT_A_DECIMAL", message)]
    return _out_of_bounds(definition, value)


def _out_of_bounds(definition: Mapping[str, Any], value: int | str) -> list[_Fault]:
    lowest, highest = definition.get("minimum"), definition.get("maximum")
    if lowest is not None and Decimal(value) < Decimal(lowest):
        return [_Fault("", "OUT_OF_RANGE", f"Give at least {lowest}.")]
    if highest is not None and Decimal(value) > Decimal(highest):
        return [_Fault("", "OUT_OF_RANGE", f"Give at most {highest}.")]
    return []


def _of_boolean(definition: Mapping[str, Any], value: Any) -> list[_Fault]:
    return [] if isinstance(value, bool) else [_Fault("", "WRONG_TYPE", "Give true or false.")]


def _of_date(definition: Mapping[str, Any], value: Any) -> list[_Fault]:
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            date.fromisoformat(value)
            return []
    except ValueError:
        pass
    return [_Fault("", "NOT_A_DATE", "Give a date such as 2026-01-31.")]


def _of_choice(definition: Mapping[str, Any], value: Any) -> list[_Fault]:
    if isinstance(value, str) and value in definition["choices"]:
        return []
    return [_Fault("", "NOT_A_CHOICE", "Give one of the schema's choices.")]


def _of_list(definition: Mapping[str, Any], value: Any) -> list[_Fault]:
    if not isinstance(value, list):
        return [_Fault("", "WRONG_TYPE", "Give a list.")]
    if len(value) > ITEMS_MAX:
        return [_Fault("", "TOO_MANY", f"Give at most {ITEMS_MAX}.")]
    of = definition["of"]
    return [
        fault
        for place, each in enumerate(value)
        for fault in _below(str(place), _value_faults(of, each))
    ]


_VALUE_FAULTS: dict[str, Callable[[Mapping[str, Any], Any], list[_Fault]]] = {
    "TEXT": _of_text,
    "INTEGER": _of_integer,
    "DECIMAL": _of_decimal,
    "BOOLEAN": _of_boolean,
    "DATE": _of_date,
    "CHOICE": _of_choice,
    "LIST": _of_list,
}


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: Any, longest: int) -> bool:
    return isinstance(value, str) and len(value) <= longest and "\0" not in value


def _step(name: Any) -> str:
    return str(name)[:64].replace("~", "~0").replace("/", "~1")


def _below(name: str, faults: list[_Fault]) -> list[_Fault]:
    return [fault._replace(pointer=f"/{name}{fault.pointer}") for fault in faults]


def _errors(faults: list[_Fault], pointer: str) -> list[FieldError]:
    return [FieldError(pointer + fault.pointer, fault.code, fault.message) for fault in faults]
