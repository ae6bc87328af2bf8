"""Conditions that people write, in CEL (cel.dev): checked when saved, evaluated against facts.

Pure. Each app declares the names that its conditions may ask for. A name is qualified
(`basket.amount`), never a map, so that a word nobody declared is an error when saved. Records
(`lines`, `event`) are protobuf messages built from their fields, for the same reason.

Amounts enter as the double next to the exact decimal. Two such compare as the decimals do, but
their sums need not, so calculating with them is refused.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from itertools import count
from typing import Any

from cel_expr_python import cel
from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    timestamp_pb2,
)
from google.protobuf.message import Message

LENGTH_MAX = 2000
NESTING_MAX = 20


class Kind(StrEnum):
    """What a name or a field holds. A date is text as ISO 8601 has it, which compares right."""

    TEXT = "TEXT"
    NUMBER = "NUMBER"
    INTEGER = "INTEGER"
    BOOLEAN = "BOOLEAN"
    INSTANT = "INSTANT"
    TEXTS = "TEXTS"


@dataclass(frozen=True, slots=True)
class Record:
    """What `event` or each of `lines` consists of: kinds by field, and records within it."""

    fields: tuple[tuple[str, "Kind | Record"], ...]
    many: bool = False


@dataclass(frozen=True, slots=True)
class Names:
    """The names that an expression may ask for, with what they hold."""

    kinds: tuple[tuple[str, Kind | Record], ...]

    @classmethod
    def of(cls, *parts: Mapping[str, Kind | Record]) -> "Names":
        """Return the names of several parts together; the later part's kind counts."""
        merged: dict[str, Kind | Record] = {}
        for part in parts:
            merged |= part
        return cls(tuple(sorted(merged.items(), key=lambda item: item[0])))


class BadExpression(ValueError):
    """An expression that cannot be used; `position` counts its characters from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message, self.position = message, position


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a condition is met; `error` says why it could not be told, which is not met."""

    met: bool
    error: str | None = None


MET, NOT_MET = Verdict(met=True), Verdict(met=False)


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked condition. `asks` are the declared names that it uses."""

    text: str
    asks: frozenset[str]
    _program: Any = field(repr=False, compare=False)
    _packers: Mapping[str, Any] = field(repr=False, compare=False)

    def evaluate(self, facts: Mapping[str, Any]) -> Verdict:
        """Return whether the condition is met by `facts`, of which only `asks` are looked at.

        A name that `facts` do not have (or have as None) is unknown. Anything but true is not
        met: false, an error, and what depends on something unknown. Records are given as dicts,
        or as what `pack` made of them.
        """
        known = {}
        for name in self.asks:
            value = facts.get(name)
            if value is not None:
                packer = self._packers.get(name)
                known[name] = packer(value) if packer else value
        try:
            answer = self._program.eval(data=known)
        except (RuntimeError, ValueError, TypeError) as error:
            return Verdict(met=False, error=_sentence(str(error)))
        value = answer.value()
        if value is True:
            return MET
        if value is False:
            return NOT_MET
        return Verdict(met=False, error=_sentence(str(value)))


# An identifier of CEL that is not one of its reserved words.
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset(
    (
        *("as", "break", "const", "continue", "else", "false", "for", "function", "if"),
        *("import", "in", "let", "loop", "namespace", "null", "package", "return", "true"),
        *("var", "void", "while"),
    )
)


def may_be_asked(name: str) -> bool:
    """Return whether a name can be written in an expression, as each part of a qualified one."""
    parts = name.split(".")
    return all(_IDENTIFIER.fullmatch(part) and part not in _RESERVED for part in parts)


def compile(text: str, names: Names) -> Expression:  # noqa: A001 the word for it
    """Return a condition ready to be evaluated.

    :raises BadExpression: at the character where it is too long or too deep, is no expression,
        asks for a name that is not declared, calculates with amounts, or is no condition.
    """
    _check_size(text)
    environment = _environment(names)
    try:
        program = environment.cel.compile(text)
    except RuntimeError as error:
        raise _located(str(error), text) from None
    resolved = _resolved(program)
    for position, _, calls in resolved:
        if any(map(_CALCULATES.fullmatch, calls)):
            raise BadExpression("amounts may be compared, not calculated with", position)
    if program.return_type() != cel.Type.BOOL:
        kind = program.return_type().name().lower()
        raise BadExpression(f"a condition is true or false, this is {kind}", 0)
    asks = frozenset(name for _, name, _ in resolved) & environment.declared
    packers = {name: environment.packers[name] for name in asks & environment.packers.keys()}
    return Expression(text, asks, program, packers)


def pack(names: Names, name: str, value: Any) -> Any:
    """Return a record's dict (or the dicts of many) in the form that `evaluate` takes as it is."""
    return _environment(names).packers[name](value)


_CALCULATES = re.compile(
    r"(add|subtract|multiply|divide|negate)_double|double_to_(int64|uint64|string)"
)


def _check_size(text: str) -> None:
    if len(text) > LENGTH_MAX:
        raise BadExpression(f"an expression has up to {LENGTH_MAX} characters", LENGTH_MAX)
    depth, quote, escaped = 0, "", False
    for position, sign in enumerate(text):
        if quote:
            if not escaped and sign == quote:
                quote = ""
            escaped = sign == "\\" and not escaped
        elif sign in "'\"":
            quote = sign
        elif sign in "([{":
            depth += 1
            if depth > NESTING_MAX:
                raise BadExpression(f"brackets nest up to {NESTING_MAX} deep", position)
        elif sign in ")]}":
            depth -= 1


_PLACE = re.compile(r"<input>:(\d+):(\d+): (.*)")


def _located(error: str, text: str) -> BadExpression:
    """Return the library's first error with its line and column as a position in the text."""
    found = _PLACE.search(error)
    if found is None:
        return BadExpression(_sentence(error), 0)
    line, column, message = int(found[1]), int(found[2]), found[3]
    start = sum(len(each) + 1 for each in text.split("\n")[: line - 1])
    message = message.replace(" (in container '')", "").replace("[INVALID_ARGUMENT]", "").strip()
    return BadExpression(message, min(start + column - 1, len(text)))


def _sentence(error: str) -> str:
    """Return an error of the library without its status names, on one line."""
    first = error.strip().splitlines()[0] if error.strip() else "unknown"
    first = re.sub(r"^[A-Z_]+: ", "", first)
    return re.sub(r" \[[A-Z_]+\]$", "", first)[:200]


# ---- the environment of a set of names ----


@dataclass(frozen=True, slots=True)
class _Environment:
    cel: Any
    declared: frozenset[str]
    packers: Mapping[str, Any]
    pool: descriptor_pool.DescriptorPool


_TYPES = {
    Kind.TEXT: cel.Type.STRING,
    Kind.NUMBER: cel.Type.DOUBLE,
    Kind.INTEGER: cel.Type.INT,
    Kind.BOOLEAN: cel.Type.BOOL,
    Kind.INSTANT: cel.Type.TIMESTAMP,
    Kind.TEXTS: cel.Type.List(cel.Type.STRING),
}


@lru_cache(maxsize=256)
def _environment(names: Names) -> _Environment:
    pool = descriptor_pool.DescriptorPool()
    builder = _Messages()
    messages: dict[str, str] = {}
    variables: dict[str, Any] = {}
    for name, kind in names.kinds:
        if not may_be_asked(name):
            raise ValueError(f"{name} cannot be a name in an expression")
        if isinstance(kind, Record):
            messages[name] = builder.add(kind.fields)
            single = cel.Type(messages[name])
            variables[name] = cel.Type.List(single) if kind.many else single
        else:
            variables[name] = _TYPES[kind]
    for file in _timestamp_file(), builder.file:
        pool.Add(file)
    packers = {}
    for name, kind in names.kinds:
        if isinstance(kind, Record):
            made = message_factory.GetMessageClass(pool.FindMessageTypeByName(messages[name]))
            packers[name] = _packer(made, kind)
    return _Environment(cel.NewEnv(pool, variables=variables), frozenset(variables), packers, pool)


def _timestamp_file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto()
    timestamp_pb2.DESCRIPTOR.CopyToProto(file)
    return file


_FIELD = descriptor_pb2.FieldDescriptorProto
_FIELD_TYPES = {
    Kind.TEXT: _FIELD.TYPE_STRING,
    Kind.NUMBER: _FIELD.TYPE_DOUBLE,
    Kind.INTEGER: _FIELD.TYPE_INT64,
    Kind.BOOLEAN: _FIELD.TYPE_BOOL,
    Kind.INSTANT: _FIELD.TYPE_MESSAGE,
    Kind.TEXTS: _FIELD.TYPE_STRING,
}


class _Messages:
    """The protobuf messages of records. Each field knows whether it is there: `has(event.x)`."""

    def __init__(self) -> None:
        self.file = descriptor_pb2.FileDescriptorProto(
            name="laurel.proto", package="laurel", syntax="proto2"
        )
        self.file.dependency.append("google/protobuf/timestamp.proto")
        self._numbers = count(1)

    def add(self, fields: Iterable[tuple[str, Kind | Record]]) -> str:
        """Add a message; return its full name."""
        message = descriptor_pb2.DescriptorProto(name=f"Record{next(self._numbers)}")
        for number, (name, kind) in enumerate(fields, 1):
            if not may_be_asked(name) or "." in name:
                raise ValueError(f"{name} cannot be a field in an expression")
            made = message.field.add(name=name, number=number, json_name=name)
            many = kind is Kind.TEXTS or (isinstance(kind, Record) and kind.many)
            made.label = _FIELD.LABEL_REPEATED if many else _FIELD.LABEL_OPTIONAL
            if isinstance(kind, Record):
                made.type, made.type_name = _FIELD.TYPE_MESSAGE, "." + self.add(kind.fields)
            else:
                made.type = _FIELD_TYPES[kind]
                if kind is Kind.INSTANT:
                    made.type_name = ".google.protobuf.Timestamp"
        self.file.message_type.append(message)
        return f"laurel.{message.name}"


def _packer(made: type[Message], record: Record) -> Any:
    def one(values: Any) -> Any:
        if isinstance(values, Message):
            return values
        message = made()
        _fill(message, values, record)
        return message

    def many(values: Any) -> Any:
        return [one(each) for each in values]

    return many if record.many else one


def _fill(message: Any, values: Mapping[str, Any], record: Record) -> None:
    """Set the fields that there are values for; a value that does not fit its kind is left out."""
    for name, kind in record.fields:
        value = values.get(name)
        if value is None:
            continue
        try:
            if isinstance(kind, Record):
                within = getattr(message, name)
                for each in value if kind.many else (value,):
                    _fill(within.add() if kind.many else within, each, record=kind)
                if not kind.many:
                    within.SetInParent()
            elif kind is Kind.TEXTS:
                getattr(message, name).extend([value] if isinstance(value, str) else value)
            elif isinstance(value, datetime):
                getattr(message, name).FromDatetime(value)
            else:
                setattr(message, name, value)
        except (TypeError, ValueError):
            message.ClearField(name)


# ---- what of a checked expression is read back: the names and calls that it resolved ----

_CHECKED = """
name: "checked.proto" package: "laurel.cel" syntax: "proto3"
message_type { name: "Reference"
  field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "overload_id" number: 3 type: TYPE_STRING label: LABEL_REPEATED } }
message_type { name: "Resolved"
  field { name: "key" number: 1 type: TYPE_INT64 label: LABEL_OPTIONAL }
  field { name: "value" number: 2 type: TYPE_MESSAGE type_name: ".laurel.cel.Reference"
          label: LABEL_OPTIONAL } }
message_type { name: "Position"
  field { name: "key" number: 1 type: TYPE_INT64 label: LABEL_OPTIONAL }
  field { name: "value" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL } }
message_type { name: "Source"
  field { name: "positions" number: 4 type: TYPE_MESSAGE type_name: ".laurel.cel.Position"
          label: LABEL_REPEATED } }
message_type { name: "Checked"
  field { name: "resolved" number: 2 type: TYPE_MESSAGE type_name: ".laurel.cel.Resolved"
          label: LABEL_REPEATED }
  field { name: "source" number: 5 type: TYPE_MESSAGE type_name: ".laurel.cel.Source"
          label: LABEL_OPTIONAL } }
"""


def _checked_message() -> Any:
    """Return cel.expr.CheckedExpr as far as it is read; on the wire a map is a list of pairs."""
    pool = descriptor_pool.DescriptorPool()
    file = text_format.Parse(_CHECKED, descriptor_pb2.FileDescriptorProto())
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("laurel.cel.Checked"))


_Checked = _checked_message()


def _resolved(program: Any) -> list[tuple[int, str, tuple[str, ...]]]:
    """Return what each part of an expression refers to: its position, name and calls, in order."""
    checked = _Checked.FromString(any_pb2.Any.FromString(program.serialize()).value)
    positions = {each.key: each.value for each in checked.source.positions}
    return sorted(
        (positions.get(each.key, 0), each.value.name, tuple(each.value.overload_id))
        for each in checked.resolved
    )
