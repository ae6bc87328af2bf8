"""The names that conditions ask for: their kinds, and the CEL environment made of them. Pure.

Records become protobuf messages built from their fields, so that a field nobody declared is an
error when a condition is saved, and `has(event.rating)` can be asked.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from itertools import count
from typing import Any

from cel_expr_python import cel
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2
from google.protobuf.message import Message


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


_KINDS = {
    "TEXT": Kind.TEXT,
    "CHOICE": Kind.TEXT,
    "DATE": Kind.TEXT,
    "INTEGER": Kind.INTEGER,
    "DECIMAL": Kind.NUMBER,
    "BOOLEAN": Kind.BOOLEAN,
    "LIST": Kind.TEXTS,
}


def kinds_of(schema: Mapping[str, Any]) -> dict[str, Kind | Record]:
    """Return the kinds of a schema's attributes (`loyalty.attributes`), for those that can be
    written in an expression."""
    return {
        name: _KINDS[definition["type"]]
        for name, definition in schema.items()
        if may_be_asked(name) and definition.get("type") in _KINDS
    }


@dataclass(frozen=True, slots=True)
class Environment:
    """A set of names, ready to compile against; `packers` bring values into their kinds."""

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


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(each) for each in value]


# An attribute's decimal comes as text; what is of another kind than was declared is an error.
_VALUES: dict[Kind, Any] = {
    Kind.TEXT: str,
    Kind.NUMBER: float,
    Kind.INTEGER: int,
    Kind.BOOLEAN: bool,
    Kind.INSTANT: lambda value: value,
    Kind.TEXTS: _texts,
}


@lru_cache(maxsize=256)
def environment(names: Names) -> Environment:
    """Return the environment of a set of names; it is made once."""
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
    packers: dict[str, Any] = {}
    for name, kind in names.kinds:
        if isinstance(kind, Record):
            made = message_factory.GetMessageClass(pool.FindMessageTypeByName(messages[name]))
            packers[name] = _packer(made, kind)
        else:
            packers[name] = _VALUES[kind]
    return Environment(cel.NewEnv(pool, variables=variables), frozenset(variables), packers, pool)


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
                getattr(message, name).extend(_texts(value))
            elif isinstance(value, datetime):
                getattr(message, name).FromDatetime(value)
            else:
                setattr(message, name, float(value) if kind is Kind.NUMBER else value)
        except (TypeError, ValueError):
            message.ClearField(name)
