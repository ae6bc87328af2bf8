"""Files of keys, one member a line: read in blocks, whatever their line ends, quotes and sizes.

Pure. A file is read as bytes: lines end with LF, CRLF or CR, cells are separated by what the first
line shows. What cannot be a key is given back with its line number and the reason. However long a
line is, no more than a block of it is held.
"""

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from members.key_forms import LINE_BYTES_MAX, QUOTE, BadKey, Form, Keys, cells_of, is_open

BLOCK_BYTES = 4 * 1024 * 1024
SHOWN_MAX = 200  # Of a line that came to nothing.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MALFORMED = "MALFORMED"


class Failed(NamedTuple):
    """A line that came to nothing, as a job keeps it."""

    line: int
    value: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where to go on reading: at a byte, which begins a line, or is in one to be skipped."""

    offset: int
    line: int = 1
    skipping: bool = False


@dataclass(slots=True)
class Block:
    """What one block of a file holds: keys with their lines, and the lines that came to nothing."""

    rows: list[bytes] = field(default_factory=list)  # As COPY takes them: line, tab, key.
    failed: list[Failed] = field(default_factory=list)
    then: Place = Place(0)
    last: bool = False


def read(file: BinaryIO, form: Form, keys: Keys, place: Place, size: int = BLOCK_BYTES) -> Block:
    """Return the next block of a file in UTF-8, about `size` bytes, and where to go on.

    Reading again from the same place gives the same block. A line longer than 64 KiB fails, and
    so do lines whose quotes do not close.
    """
    file.seek(place.offset)
    raw = file.read(size)
    ended = len(raw) < size
    if not ended and raw.endswith(b"\r"):
        raw += file.read(1)  # It may be the first half of a CRLF.
    block = Block(then=place, last=ended)
    line, offset = place.line, place.offset
    if place.skipping:
        end = _line_end(raw)
        if end is None:
            block.then = Place(offset + len(raw), line, skipping=True)
            return block
        raw, offset, line = raw[end:], offset + end, line + 1
    if not ended:
        cut = max(raw.rfind(b"\n"), raw.rfind(b"\r")) + 1
        if not cut:
            block.failed.append(_too_long(line, raw))
            block.then = Place(offset + len(raw), line, skipping=True)
            return block
        raw = raw[:cut]
    read_lines = _read_lines(block, raw, line, form, keys, ended=ended)
    block.then = Place(offset + read_lines.taken, read_lines.line)
    return block


_LINE_END = re.compile(rb"\r\n|\r|\n")


def _line_end(raw: bytes) -> int | None:
    match = _LINE_END.search(raw)
    return match.end() if match else None


class _Taken(NamedTuple):
    taken: int
    line: int


def _read_lines(
    block: Block, raw: bytes, line: int, form: Form, keys: Keys, *, ended: bool
) -> _Taken:
    """Sort the lines of a block into keys and failed ones; return how far it came."""
    lines = raw.splitlines()
    after = line + len(lines)
    if line <= form.header < after:
        lines[form.header - line] = b""
    if QUOTE in raw and form.delimiter is not None:
        records = _joined(lines, line, ended=ended)
        open_from = records.open_from
        _take(block, records.found, form, keys)
        if open_from is not None:  # A quoted cell goes on in the next block: begin there with it.
            rest = raw.splitlines(keepends=True)[open_from - line :]
            return _Taken(len(raw) - sum(map(len, rest)), open_from)
        return _Taken(len(raw), after)
    if form.delimiter is None and QUOTE not in raw:
        _take_plain(block, lines, line, keys)
    else:
        _take(block, list(enumerate(lines, line)), form, keys)
    return _Taken(len(raw), after)


def _take_plain(block: Block, lines: Sequence[bytes], first: int, keys: Keys) -> None:
    """Take lines that are keys and nothing else: what almost every file consists of."""
    plain, rows = keys.is_plain, block.rows
    for line, raw in enumerate(lines, first):
        if plain(raw):
            rows.append(b"%d\t%b" % (line, raw))
        elif raw:
            _take_cell(block, line, raw, keys)


def _take(block: Block, records: Sequence[tuple[int, bytes]], form: Form, keys: Keys) -> None:
    delimiter = form.delimiter.encode() if form.delimiter else None
    for line, raw in records:
        if not raw.strip():
            continue
        if len(raw) > LINE_BYTES_MAX:
            block.failed.append(_too_long(line, raw))
        elif QUOTE in raw:
            _take_quoted(block, line, raw, form, keys)
        elif delimiter is None:
            _take_cell(block, line, raw, keys)
        else:
            cells = raw.split(delimiter)
            cell = cells[form.column] if form.column < len(cells) else b""
            _take_cell(block, line, cell, keys, whole=raw)


def _take_quoted(block: Block, line: int, raw: bytes, form: Form, keys: Keys) -> None:
    try:
        cells = cells_of(raw.decode(), form.delimiter)
    except UnicodeDecodeError:
        block.failed.append(_failed(line, raw, "NOT_UTF8", "The line is not UTF-8."))
        return
    except csv.Error:
        block.failed.append(_failed(line, raw, _MALFORMED, "The quotes do not close."))
        return
    cell = cells[form.column] if form.column < len(cells) else ""
    _take_cell(block, line, cell.encode(), keys, whole=raw)


def _take_cell(
    block: Block, line: int, cell: bytes, keys: Keys, *, whole: bytes | None = None
) -> None:
    """Take one cell as a key, in its stored form, or note why it is none."""
    shown = cell if whole is None else whole
    cell = cell.strip()
    if len(cell) > LINE_BYTES_MAX:
        block.failed.append(_too_long(line, shown))
        return
    if not cell:
        if whole is not None and whole.strip():
            block.failed.append(_failed(line, shown, _MALFORMED, "The column is empty."))
        return
    if not keys.is_plain(cell):
        try:
            text = cell.decode()
            if _CONTROL.search(text):
                raise BadKey("It holds control characters.")
            cell = keys.stored(text).replace("\\", "\\\\").encode()
        except UnicodeDecodeError:
            block.failed.append(_failed(line, shown, "NOT_UTF8", "The line is not UTF-8."))
            return
        except BadKey as error:
            block.failed.append(_failed(line, cell, _MALFORMED, str(error)))
            return
    block.rows.append(b"%d\t%b" % (line, cell))


class _Records(NamedTuple):
    found: list[tuple[int, bytes]]
    open_from: int | None


def _joined(lines: Sequence[bytes], first: int, *, ended: bool) -> _Records:
    """Put lines together whose quoted cells go over several; an open one may end in the next block.

    Quotes that do not close within 64 KiB are a line's own fault, and its alone.
    """
    found: list[tuple[int, bytes]] = []
    place = 0
    while place < len(lines):
        raw = lines[place]
        if not is_open(raw):
            found.append((first + place, raw))
            place += 1
            continue
        joined, upto = [raw], place + 1
        length, quotes = len(raw), raw.count(QUOTE)
        while quotes % 2 and upto < len(lines) and length <= LINE_BYTES_MAX:
            joined.append(lines[upto])
            length += len(lines[upto])
            quotes += lines[upto].count(QUOTE)
            upto += 1
        if quotes % 2 == 0:
            found.append((first + place, b"\n".join(joined)))
            place = upto
        elif length <= LINE_BYTES_MAX and not ended and place:
            return _Records(found, first + place)
        else:
            found.append((first + place, raw))
            place += 1
    return _Records(found, None)


def _too_long(line: int, raw: bytes) -> Failed:
    return _failed(line, raw, "LINE_TOO_LONG", f"A line has up to {LINE_BYTES_MAX:,} bytes.")


def _failed(line: int, raw: bytes, code: str, reason: str) -> Failed:
    shown = raw[: SHOWN_MAX * 4].decode(errors="replace").strip()[:SHOWN_MAX]
    return Failed(line, shown, code, reason)


def in_utf8(source: BinaryIO, target: BinaryIO, encoding: str) -> None:
    """Write a file of another encoding as UTF-8, piece by piece; what is none becomes �.

    `source` stands behind its byte order mark.
    """
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for piece in _pieces(source):
        target.write(decoder.decode(piece).encode(errors="replace"))
    target.write(decoder.decode(b"", final=True).encode(errors="replace"))


def _pieces(source: BinaryIO) -> Iterator[bytes]:
    while piece := source.read(1024 * 1024):
        yield piece
