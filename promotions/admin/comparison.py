"""What is different between two definitions, pointer by pointer."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Difference(NamedTuple):
    """A part that one definition has otherwise than the other; None where it has none."""

    pointer: str
    old: str | None
    new: str | None


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """Return what is different, in the order of the pointers."""
    before, after = dict(_parts("", old)), dict(_parts("", new))
    return [
        Difference(pointer, before.get(pointer), after.get(pointer))
        for pointer in sorted(before.keys() | after.keys())
        if before.get(pointer) != after.get(pointer)
    ]


def _parts(pointer: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the leaves of a definition; a list of codes is one."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _parts(f"{pointer}/{name}", part)
    elif isinstance(value, list) and any(isinstance(each, Mapping | list) for each in value):
        for place, part in enumerate(value):
            yield from _parts(f"{pointer}/{place}", part)
    elif isinstance(value, list):
        if value:
            yield pointer, ", ".join(map(str, value))
    elif value is not None:
        yield pointer, str(value)
