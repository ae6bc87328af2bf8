"""Files of keys: read as people and systems write them, and never held whole."""

import codecs
import io
import tracemalloc

import pytest

from members import key_files
from members.key_files import Place
from members.key_forms import HEAD_BYTES, BadKey, Form, Keys, NotAKeyFile, inspect

SIZES = (128 * 1024, key_files.BLOCK_BYTES)


def digits(text):
    if not text.strip().isdigit():
        raise BadKey("No number.")
    return text.strip()


NUMBERS = Keys(
    is_plain=lambda raw: len(raw) <= 20 and raw.isdigit(),
    stored=digits,
    may_be=str.isdigit,
    headers=frozenset({"number"}),
)


def read(data, *, size=key_files.BLOCK_BYTES, **said):
    """Return keys by line, and (line, code) of what failed."""
    form = inspect(data[:HEAD_BYTES], NUMBERS, **said)
    file = io.BytesIO(data)
    if form.encoding != "utf-8":
        file.seek(form.mark)
        copy = io.BytesIO()
        key_files.in_utf8(file, copy, form.encoding)
        file = copy
    place, keys, failed, last = Place(form.start), {}, [], False
    while not last:
        block = key_files.read(file, form, NUMBERS, place, size)
        keys |= {int(row.split(b"\t")[0]): row.split(b"\t")[1].decode() for row in block.rows}
        failed += [(each.line, each.code) for each in block.failed]
        place, last = block.then, block.last
    return keys, failed


@pytest.mark.parametrize(
    ("_case", "data", "keys"),
    [
        ("LF", b"1\n2\n", {1: "1", 2: "2"}),
        ("no end of the last line", b"1\n2", {1: "1", 2: "2"}),
        ("CRLF", b"1\r\n2\r\n", {1: "1", 2: "2"}),
        ("CR", b"1\r2\r", {1: "1", 2: "2"}),
        ("all of them", b"1\r\n2\r3\n4", {1: "1", 2: "2", 3: "3", 4: "4"}),
        ("empty lines", b"\n1\n\n\n2\n\n", {2: "1", 5: "2"}),
        ("spaces", b" 1 \n\t2\n   \n", {1: "1", 2: "2"}),
        ("a header", b"number\n1\n", {2: "1"}),
        ("a header below an empty line", b"\r\nnumber\r\n1\r\n", {3: "1"}),
        ("a word that is no key is a header", b"Kundennummer\n1\n", {2: "1"}),
        ("only a header", b"number\n", {}),
        ("nothing", b"", {}),
        ("only a mark", codecs.BOM_UTF8, {}),
        ("a mark", codecs.BOM_UTF8 + b"1\n2\n", {1: "1", 2: "2"}),
        ("a mark and a header", codecs.BOM_UTF8 + b"number\n1\n", {2: "1"}),
        ("UTF-16 with a mark", "number\r\n1\r\n".encode("utf-16"), {2: "1"}),
        ("big-endian", codecs.BOM_UTF16_BE + "1\n2".encode("utf-16-be"), {1: "1", 2: "2"}),
        ("UTF-16 without a mark", "11\n22\n".encode("utf-16-le"), {1: "11", 2: "22"}),
        ("big-endian without", "11\n22\n".encode("utf-16-be"), {1: "11", 2: "22"}),
        ("quotes", b'"1"\n"2"\n', {1: "1", 2: "2"}),
        ("quotes and a header", b'"number"\r\n"1"\r\n', {2: "1"}),
        ("several columns", b"name,number\nAnn,1\nBob,2\n", {2: "1", 3: "2"}),
        ("semicolons", b"name;number;x\nAnn;1;\n", {2: "1"}),
        ("tabs", b"name\tnumber\nAnn\t1\n", {2: "1"}),
        ("the first column, if none is named so", b"1,Ann\n2,Bob\n", {1: "1", 2: "2"}),
        ("a comma within quotes", b'name,number\n"Lee, Ann",1\n', {2: "1"}),
        ("a line end within quotes", b'name,number\n"Lee\nAnn",1\nBob,2\n', {2: "1", 4: "2"}),
        ("an inch within a cell", b'name,number\n12" disc,1\nBob,2\n', {2: "1", 3: "2"}),
        ("quotes within quotes", b'name,number\n"a ""b""",1\n', {2: "1"}),
        (
            "a byte that is no UTF-8 beside the key",
            b"name,number\nAnn,1\nB\xfcb,2\n",
            {2: "1", 3: "2"},
        ),
    ],
)
def test_keys_are_found_with_their_lines(_case, data, keys):
    said = {"encoding": "cp1252"} if "\xfc" in data.decode("latin-1") else {}
    assert read(data, **said) == (keys, [])


@pytest.mark.parametrize(
    ("said", "keys"),
    [
        ({"column": 2}, {2: "10", 3: "20"}),
        ({"column": "Other"}, {2: "10", 3: "20"}),
        ({"column": "number"}, {2: "1", 3: "2"}),
        ({}, {2: "1", 3: "2"}),
    ],
)
def test_a_column_is_chosen_by_its_name_or_number(said, keys):
    assert read(b"number,other\n1,10\n2,20\n", **said) == (keys, [])


def test_whether_there_is_a_header_can_be_said():
    assert read(b"1\n2\n", header=True)[0] == {2: "2"}
    assert read(b"x\n2\n", header=False) == ({2: "2"}, [(1, "MALFORMED")])


def test_another_encoding_can_be_said():
    assert read("Müller,1\n".encode("cp1252"), encoding="cp1252", column=2)[0] == {1: "1"}
    assert read("1\n2\n".encode("utf-16-le"), encoding="utf-16")[0] == {1: "1", 2: "2"}


@pytest.mark.parametrize(
    ("_case", "data", "said", "code"),
    [
        ("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", {}, "FILE_IS_BINARY"),
        ("NUL behind text", b"1\n2\n\0", {}, "FILE_IS_BINARY"),
        ("NUL in UTF-16", "1\0\n".encode("utf-16"), {}, "FILE_IS_BINARY"),
        ("a gzip file", b"\x1f\x8b\x08\x08abcd\xff", {}, "FILE_NOT_UTF8"),
        ("Latin-1", "Müller\n1\n".encode("latin-1"), {}, "FILE_NOT_UTF8"),
        ("no such name", b"a,b\n1,2\n", {"column": "c"}, "NO_SUCH_COLUMN"),
        ("no such number", b"a,b\n1,2\n", {"column": 3}, "NO_SUCH_COLUMN"),
        ("a name and no header", b"1,2\n", {"column": "1", "header": False}, "NO_SUCH_COLUMN"),
    ],
)
def test_what_is_no_file_of_keys_is_refused_at_once(_case, data, said, code):
    with pytest.raises(NotAKeyFile) as refusal:
        inspect(data, NUMBERS, **said)

    assert refusal.value.code == code


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("_case", "data", "keys", "failed"),
    [
        ("no key", b"1\nx\n2\n", {1: "1", 3: "2"}, [(2, "MALFORMED")]),
        ("NUL after the head", b"1\n" * 40_000 + b"\0\n2", 40_001, [(40_001, "MALFORMED")]),
        ("no UTF-8 after the head", b"1\n" * 40_000 + b"\xff\n2", 40_001, [(40_001, "NOT_UTF8")]),
        ("no UTF-8 in quotes", b"a,1\n" * 20_000 + b'"\xff",1\n', 0, None),
        ("an empty cell", b"a,number\nx,\ny,2\n", {3: "2"}, [(2, "MALFORMED")]),
        ("too few cells", b"a,number\nx\ny,2\n", {3: "2"}, [(2, "MALFORMED")]),
        ("quotes that do not close", b'a,number\n"x,1\ny,2\n', {3: "2"}, [(2, "MALFORMED")]),
        (
            "a gigantic line",
            b"1\n" + b"7" * 9_000_000 + b"\n2\n",
            {1: "1", 3: "2"},
            [(2, "LINE_TOO_LONG")],
        ),
        ("at the end", b"1\n" + b"7" * 9_000_000, {1: "1"}, [(2, "LINE_TOO_LONG")]),
        ("at the start", b"7" * 9_000_000 + b"\r\n2", {2: "2"}, [(1, "LINE_TOO_LONG")]),
        (
            "a long line",
            b"1\n" + b"7" * 70_000 + b"\n2\n",
            {1: "1", 3: "2"},
            [(2, "LINE_TOO_LONG")],
        ),
        (
            "two in a row",
            b"7" * 5_000_000 + b"\n" + b"8" * 5_000_000 + b"\n1",
            {3: "1"},
            [(1, "LINE_TOO_LONG"), (2, "LINE_TOO_LONG")],
        ),
    ],
)
def test_a_line_that_is_wrong_is_told_and_the_others_count(_case, data, keys, failed, size):
    found = read(data, size=size)

    if isinstance(keys, int):
        assert len(found[0]) >= keys
    else:
        assert found[0] == keys
    assert failed is None or found[1] == failed


def test_what_is_shown_of_a_line_is_short():
    block = key_files.read(
        io.BytesIO(b"x" * 100_000), Form("utf-8", None, 0, 0, 0), NUMBERS, Place(0)
    )

    assert block.failed[0].value == "x" * 200


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_size_of_a_block_does_not_matter(end):
    """Line ends of two bytes and quoted cells fall on every place of a block's edge."""
    lines = [
        f'"Lee, {"x" * (n % 97)}{end}Ann",{n}' if n % 7 == 0 else f"Bob,{n}" for n in range(40_000)
    ]
    data = ("name,number" + end + end.join(lines)).encode()

    whole = read(data, size=8 * 1024 * 1024)

    assert len(whole[0]) == 40_000
    for size in (131_072, 131_073, 131_074, 131_075, 262_144):
        assert read(data, size=size) == whole


def test_memory_does_not_grow_with_the_file():
    def peak(lines):
        data = b"".join(b"%d\n" % (10**9 + n) for n in range(lines))
        file, place, last = io.BytesIO(data), Place(0), False
        tracemalloc.start()
        while not last:
            block = key_files.read(file, Form("utf-8", None, 0, 0, 0), NUMBERS, place, 128 * 1024)
            place, last = block.then, block.last
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(120_000) < peak(30_000) * 1.5
