"""How a file of keys is written: its encoding, its cells, and which of them are the keys. Pure."""

import codecs
import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

HEAD_BYTES = 64 * 1024
LINE_BYTES_MAX = 64 * 1024
QUOTE = b'"'
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DELIMITERS = b",;\t|"


class NotAKeyFile(ValueError):
    """The file as a whole cannot be read; `code` says what it is in place of it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class BadKey(ValueError):
    """Text that cannot be a key of its kind; the message says why."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What the keys of a file are.

    `is_plain` passes a key, as bytes, that is stored just so: the many pass quickly. What does not
    pass is given to `stored`, which returns its stored form or raises BadKey. `may_be` says
    whether the text of the first line can be a key at all; if not, it is a header. `headers` are
    words by which a header names the column of the keys.
    """

    is_plain: Callable[[bytes], bool]
    stored: Callable[[str], str]
    may_be: Callable[[str], bool]
    headers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is written.

    `header` is the line of the header, 0 where there is none; `column` counts from 0; `mark` is
    the length of a byte order mark.
    """

    encoding: str
    delimiter: str | None
    header: int
    column: int
    mark: int

    @property
    def start(self) -> int:
        """Where the first line begins in the file in UTF-8; a copy in UTF-8 has no mark."""
        return self.mark if self.encoding == "utf-8" else 0


def inspect(
    head: bytes,
    keys: Keys,
    *,
    encoding: str | None = None,
    header: bool | None = None,
    column: str | int | None = None,
) -> Form:
    """Return how a file is written, from its first 64 KiB and what its sender says of it.

    :raises NotAKeyFile: if it is binary, not in the encoding, or has no such column.
    """
    mark, encoding = _encoding(head, encoding)
    text = head[mark:].decode(encoding, errors="replace")
    if "\0" in text:
        raise NotAKeyFile("FILE_IS_BINARY", "The file holds NUL: it is no text.")
    lines = re.split(r"\r\n|\r|\n", text)
    place = next((place for place, line in enumerate(lines) if line.strip()), 0)
    delimiter = _delimiter(lines[place])
    cells = [cell.strip() for cell in _head_cells(lines[place], delimiter)]
    wanted = _named(cells, keys, column)
    if header is None:
        header = isinstance(column, str) or not _is_data(cells, keys, wanted)
    if not header:
        if isinstance(column, str):
            raise NotAKeyFile("NO_SUCH_COLUMN", "Without a header, give the column's number.")
        wanted = 0 if column is None else wanted
    return Form(encoding, delimiter, place + 1 if header else 0, wanted, mark)


def _head_cells(line: str, delimiter: str | None) -> list[str]:
    try:
        return cells_of(line, delimiter)
    except csv.Error:
        return [line]


def _encoding(head: bytes, given: str | None) -> tuple[int, str]:
    """Return how many bytes a byte order mark takes, and the encoding."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return len(mark), name
    if given == "utf-16":  # Without a mark, as Windows writes it.
        return 0, "utf-16-le"
    if given is not None and given != "utf-8":
        return 0, given
    if given is None and len(head) >= 4:
        even, odd = head[0::2].count(0), head[1::2].count(0)
        for zeros, others, name in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
            if zeros > len(head) * 0.4 and not others:
                return 0, name
    if b"\0" in head:
        raise NotAKeyFile("FILE_IS_BINARY", "The file holds NUL: it is no text.")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # The last sign may be cut.
    except UnicodeDecodeError:
        message = "The file is not UTF-8. Save it so, or name its encoding."
        raise NotAKeyFile("FILE_NOT_UTF8", message) from None
    return 0, "utf-8"


def _delimiter(first: str) -> str | None:
    """Return the separator of which the first line has most, outside of quotes."""
    bare = re.sub(r'"[^"]*"', "", first)
    counts = {chr(sign): bare.count(chr(sign)) for sign in _DELIMITERS}
    best = max(counts, key=lambda sign: counts[sign])
    return best if counts[best] else None


def _named(cells: Sequence[str], keys: Keys, column: str | int | None) -> int:
    """Return the column of the keys, counted from 0.

    :raises NotAKeyFile: if the first line has no such column.
    """
    names = [cell.casefold() for cell in cells]
    if column is None:
        return next((place for place, name in enumerate(names) if name in keys.headers), 0)
    if isinstance(column, str):
        if column.strip().casefold() in names:
            return names.index(column.strip().casefold())
    elif 1 <= column <= len(cells):
        return column - 1
    raise NotAKeyFile("NO_SUCH_COLUMN", f"The first line has no column {column}.")


def _is_data(cells: Sequence[str], keys: Keys, column: int) -> bool:
    cell = cells[column] if column < len(cells) else ""
    return cell == "" or (cell.casefold() not in keys.headers and keys.may_be(cell))


_OPENS = re.compile(rb'(?:^|[,;\t|])\s*"')


def is_open(raw: bytes) -> bool:
    """Return whether a cell begins with quotes that the line does not close."""
    return (
        raw.count(QUOTE) % 2 == 1 and len(raw) <= LINE_BYTES_MAX and _OPENS.search(raw) is not None
    )


def cells_of(text: str, delimiter: str | None) -> list[str]:
    """Return the cells of a record.

    :raises csv.Error: if its quotes do not close.
    """
    if QUOTE.decode() not in text:
        return text.split(delimiter) if delimiter else [text]
    if is_open(text.encode()):
        raise csv.Error("open quotes")
    rows = csv.reader([text], delimiter=delimiter or "\x1f", skipinitialspace=True)
    return next(iter(rows), [])
