"""Reading what a caller sent: strict, bounded, and clear about the field that is wrong."""

import re
from typing import Any, TypeVar

import msgspec
from django.http import HttpRequest, QueryDict

from loyalty.errors import FieldError, PayloadTooLarge, UnsupportedMediaType, ValidationFailed

BODY_BYTES_MAX = 256 * 1024
T = TypeVar("T", bound=msgspec.Struct)
_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


def read_body(request: HttpRequest, shape: type[T]) -> T:
    """Return the JSON body as `shape`.

    :raises PayloadTooLarge, UnsupportedMediaType: before anything is parsed.
    :raises ValidationFailed: if it is not JSON, or not of the shape; names the field.
    """
    if request.content_type != "application/json":
        raise UnsupportedMediaType
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    if length > BODY_BYTES_MAX:
        raise PayloadTooLarge(BODY_BYTES_MAX)
    raw = request.read(BODY_BYTES_MAX + 1)
    if len(raw) > BODY_BYTES_MAX:
        raise PayloadTooLarge(BODY_BYTES_MAX)
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
    if b"\\u0000" in raw or b"\\ud" in raw.lower():
        _refuse_odd_text(body, "")
    return body


def read_query(query: QueryDict, shape: type[T]) -> T:
    """Return the query parameters as `shape`, each given at most once.

    :raises ValidationFailed: if one is unknown, repeated or of another type.
    """
    given = {}
    for name in query:
        values = query.getlist(name)
        if len(values) != 1 or "\0" in values[0]:
            message = f"{name} must be given once, as plain text."
            raise ValidationFailed([FieldError(f"/{name}", "REPEATED", message)])
        given[name] = values[0]
    try:
        return msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as error:
        raise ValidationFailed([field_error(error)]) from None


_PATH = re.compile(r"^(?P<message>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_CODES = (
    ("missing required field", "MISSING_FIELD"),
    ("unknown field", "UNKNOWN_FIELD"),
    ("length", "OUT_OF_RANGE"),
    ("Expected `int` <=", "OUT_OF_RANGE"),
    ("Expected `int` >=", "OUT_OF_RANGE"),
    ("matching regex", "NOT_IN_FORM"),
    ("Invalid enum", "NOT_A_CHOICE"),
    ("RFC3339", "NOT_AN_INSTANT"),
    ("timezone", "NOT_AN_INSTANT"),
    ("Invalid UUID", "NOT_AN_ID"),
    ("out of range", "OUT_OF_RANGE"),
)


def field_error(error: msgspec.ValidationError) -> FieldError:
    """Return what msgspec found wrong, with a JSON pointer to the field."""
    match = _PATH.match(str(error))
    assert match is not None
    message, path = match["message"], match["path"] or ""
    pointer = re.sub(r"\[(\d+)\]", r"/\1", path).replace(".", "/").replace("[...]", "/*")
    if named := re.search(r"field `([^`]+)`", message):
        pointer += f"/{named[1]}"
    code = next((code for text, code in _CODES if text in message), "WRONG_TYPE")
    if code == "NOT_IN_FORM" and r"\d{1,10}" in message:
        code, message = "NOT_A_DECIMAL", "Give decimal text such as 12.50, not negative"
    elif code == "WRONG_TYPE" and pointer.rsplit("/", 1)[-1] in _DECIMALS:
        code, message = "NOT_A_DECIMAL", "Give decimal text such as 12.50, in quotes"
    return FieldError(pointer, code, f"{message}.")


_DECIMALS = frozenset({"amount", "quantity", "discount", "tax", "percent"})


def _refuse_odd_text(value: Any, pointer: str) -> None:
    """Refuse NUL and lone surrogates, which JSON can write and no text may hold."""
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, dict):
        for key, each in value.items():
            _refuse_odd_text(str(key), pointer)
            _refuse_odd_text(each, f"{pointer}/{key}")
    elif isinstance(value, list):
        for place, each in enumerate(value):
            _refuse_odd_text(each, f"{pointer}/{place}")
    elif isinstance(value, str) and ("\0" in value or not _is_text(value)):
        message = "Text may hold no NUL and no lone surrogate."
        raise ValidationFailed([FieldError(pointer, "NOT_TEXT", message)])


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
