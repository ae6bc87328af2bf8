"""Conditions that people write, in CEL (cel.dev): checked when saved, evaluated against facts.

Pure. Each app declares the names that its conditions may ask for. A name is qualified
(`basket.amount`), never a map, so that a word nobody declared is an error when saved. Records
(`lines`, `event`) are protobuf messages built from their fields, for the same reason.

Amounts enter as the double next to the exact decimal. Two such compare as the decimals do, but
their sums need not, so calculating with them is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cel_expr_python import cel
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory, text_format

from loyalty.expression_names import Kind, Names, Record, environment, kinds_of, may_be_asked

__all__ = [
    "BadExpression",
    "Expression",
    "Kind",
    "Names",
    "Record",
    "Verdict",
    "compile",
    "kinds_of",
    "may_be_asked",
    "pack",
]

LENGTH_MAX = 2000
NESTING_MAX = 20


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


class Facts(Protocol):
    """Whatever answers for names: a mapping, or what works a fact out when it is asked for."""

    def get(self, name: str, /) -> Any:
        """Return the value of a name, None where it is unknown."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked condition. `asks` are the declared names that it uses."""

    text: str
    asks: frozenset[str]
    _program: Any = field(repr=False, compare=False)
    _packers: Mapping[str, Any] = field(repr=False, compare=False)

    def evaluate(self, facts: Facts) -> Verdict:
        """Return whether the condition is met by `facts`, of which only `asks` are looked at.

        A name that `facts` do not have (or have as None) is unknown. Anything but true is not
        met: false, an error, and what depends on something unknown. Records are given as dicts,
        or as what `pack` made of them.
        """
        try:
            known = {
                name: packer(value)
                for name, packer in self._packers.items()
                if (value := facts.get(name)) is not None
            }
            answer = self._program.eval(data=known)
        except (RuntimeError, ValueError, TypeError) as error:
            return Verdict(met=False, error=_sentence(str(error)))
        value = answer.value()
        if value is True:
            return MET
        if value is False:
            return NOT_MET
        return Verdict(met=False, error=_sentence(str(value)))


def compile(text: str, names: Names) -> Expression:  # noqa: A001 the word for it
    """Return a condition ready to be evaluated.

    :raises BadExpression: at the character where it is too long or too deep, is no expression,
        asks for a name that is not declared, calculates with amounts, or is no condition.
    """
    _check_size(text)
    known = environment(names)
    try:
        program = known.cel.compile(text)
    except RuntimeError as error:
        raise _located(str(error), text) from None
    resolved = _resolved(program)
    for position, _, calls in resolved:
        if any(map(_CALCULATES.fullmatch, calls)):
            raise BadExpression("amounts may be compared, not calculated with", position)
    if program.return_type() != cel.Type.BOOL:
        kind = program.return_type().name().lower()
        raise BadExpression(f"a condition is true or false, this is {kind}", 0)
    asks = frozenset(name for _, name, _ in resolved) & known.declared
    packers = {name: known.packers[name] for name in sorted(asks)}
    return Expression(text, asks, program, packers)


def pack(names: Names, name: str, value: Any) -> Any:
    """Return a record's dict (or the dicts of many) in the form that `evaluate` takes as it is."""
    return environment(names).packers[name](value)


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
