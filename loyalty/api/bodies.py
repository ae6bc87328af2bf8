"""Reading what a caller sent: strict, bounded, and clear about the field that is wrong."""

import re
from typing import Any, TypeVar

import msgspec
from django.http import HttpRequest, QueryDict

from loyalty.api.fields import EXPLAINED
from loyalty.errors import FieldError, PayloadTooLarge, UnsupportedMediaType, ValidationFailed

BODY_BYTES_MAX = 256 * 1024
T = TypeVar("T", bound=msgspec.Struct)
_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


def read_body(request: HttpRequest, shape: type[T]) -> T:
    """Return the JSON body as `shape`.

    :raises PayloadTooLarge, UnsupportedMediaType: before anything is parsed.
    :raises ValidationFailed: if it is not JSON, or not of the shape; names the field.
    """
    raw = _read(request)
    if not raw:
        raise ValidationFailed([FieldError("", "MISSING_BODY", "Send a JSON object.")])
    if request.content_type != "application/json" or "Content-Encoding" in request.headers:
        raise UnsupportedMediaType
    return parse(raw, shape)


def parse(raw: bytes, shape: type[T]) -> T:
    """Return JSON as `shape`.

    :raises ValidationFailed: if it is not JSON, or not of the shape; names the field.
    """
    decoder = _decoders.get(shape)
    if decoder is None:
        decoder = _decoders[shape] = msgspec.json.Decoder(shape)
    try:
        body: T = decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise ValidationFailed([field_error(error)]) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValidationFailed([FieldError("", "NOT_JSON", f"Not JSON: {error}.")]) from None
    except RecursionError:
        raise ValidationFailed([FieldError("", "TOO_DEEP", "Nested too deeply.")]) from None
    if b"\\u0000" in raw:  # Written out it is no JSON; lone surrogates neither.
        _refuse_nul(body, "")
    return body


def _read(request: HttpRequest) -> bytes:
    try:
        announced = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        announced = 0
    if announced > BODY_BYTES_MAX:
        raise PayloadTooLarge(BODY_BYTES_MAX)
    raw = request.read(BODY_BYTES_MAX + 1)
    if len(raw) > BODY_BYTES_MAX:
        raise PayloadTooLarge(BODY_BYTES_MAX)
    return raw


def read_query(query: QueryDict, shape: type[T]) -> T:
    """Return the query parameters as `shape`, each given at most once.

    :raises ValidationFailed: if one is unknown, repeated or of another type.
    """
    given = {}
    for name in query:
        values = query.getlist(name)
        if len(values) != 1 or "\0" in values[0]:
            message = "Give a parameter once, as plain text."
            raise ValidationFailed([FieldError(f"/{escaped(name)}", "REPEATED", message)])
        given[name] = values[0]
    try:
        return msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as error:
        raise ValidationFailed([field_error(error)]) from None


_PATH = re.compile(
    r"(?P<message>.*?)(?: - at (?:`(?P<key>key)` in )?`\$(?P<path>[^`]*)`)?", re.DOTALL
)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_FIELD = re.compile(r"(?:required|unknown) field `(.*)`$", re.DOTALL)
_CODES = (
    ("missing required field", "MISSING_FIELD"),
    ("unknown field", "UNKNOWN_FIELD"),
    ("`str` of length <=", "TOO_LONG"),
    ("`str` of length >=", "TOO_SHORT"),
    ("of length <=", "TOO_MANY"),
    ("of length >=", "TOO_FEW"),
    ("Expected `int` <=", "OUT_OF_RANGE"),
    ("Expected `int` >=", "OUT_OF_RANGE"),
    ("matching regex", "NOT_IN_FORM"),
    ("nvalid enum", "NOT_A_CHOICE"),
    ("RFC3339 encoded datetime", "NOT_AN_INSTANT"),
    ("RFC3339 encoded date", "NOT_A_DATE"),
    ("timezone", "NOT_AN_INSTANT"),
    ("Invalid UUID", "NOT_AN_ID"),
    ("out of range", "OUT_OF_RANGE"),
)
_DECIMALS = frozenset({"amount", "quantity", "discount", "tax", "percent"})
_ECHO_MAX = 200  # What a caller sent is told back, but not all of a quarter of a megabyte.


def field_error(error: msgspec.ValidationError) -> FieldError:
    """Return what msgspec found wrong, with a JSON pointer (RFC 6901) to the field.

    Below a map of the caller's own keys the pointer ends at the map: msgspec names no key there.
    """
    match = _PATH.fullmatch(str(error))
    assert match is not None
    message = match["message"]
    known, _, _ = (match["path"] or "").partition("[...]")
    pointer = "".join(f"/{name or index}" for name, index in _STEP.findall(known))
    if named := _FIELD.search(message):
        pointer += "/" + escaped(named[1])
    code = next((code for text, code in _CODES if text in message), "WRONG_TYPE")
    _, is_form, pattern = message.partition("matching regex ")
    if is_form and pattern in _EXPLAINED:
        code, message = _EXPLAINED[pattern]
    elif code == "WRONG_TYPE" and pointer.rpartition("/")[2] in _DECIMALS:
        code, message = "NOT_A_DECIMAL", "Give decimal text such as 12.50, in quotes"
    if match["key"]:
        message = f"A key is wrong: {message}"
    return FieldError(pointer, code, f"{message[:_ECHO_MAX]}.")


_EXPLAINED = {repr(pattern): words for pattern, words in EXPLAINED.items()}


def escaped(name: str) -> str:
    """Return a name as a step of a JSON pointer."""
    return name[:_ECHO_MAX].replace("~", "~0").replace("/", "~1")


def _refuse_nul(value: Any, pointer: str) -> None:
    """Refuse NUL, which JSON can write and PostgreSQL cannot store; name where it stands."""
    if isinstance(value, msgspec.Struct):
        names = [(each.name, each.encode_name) for each in msgspec.structs.fields(value)]
        value = {wire_name: getattr(value, name) for name, wire_name in names}
    if isinstance(value, dict):
        for key, each in value.items():
            _refuse_nul(key, pointer)
            _refuse_nul(each, f"{pointer}/{escaped(str(key))}")
    elif isinstance(value, list | tuple):
        for place, each in enumerate(value):
            _refuse_nul(each, f"{pointer}/{place}")
    elif isinstance(value, str) and "\0" in value:
        raise ValidationFailed([FieldError(pointer, "NOT_TEXT", "Text may hold no NUL.")])
