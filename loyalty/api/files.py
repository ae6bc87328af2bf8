"""Reading a call that may bring a file: JSON, or a form of the parts `mapping` and `file`."""

from typing import Any, TypeVar

import msgspec
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError

from loyalty.api.bodies import BODY_BYTES_MAX, parse, read_body
from loyalty.errors import FieldError, PayloadTooLarge, ValidationFailed
from loyalty.services.uploads import BYTES_MAX

FORM = "multipart/form-data"
T = TypeVar("T", bound=msgspec.Struct)


def read_call(request: HttpRequest, shape: type[T]) -> "tuple[T, UploadedFile[Any] | None]":
    """Return a call's JSON as `shape`, and the file that came with it, which is on the disk.

    :raises PayloadTooLarge: if the file is larger than a gibibyte; what is larger by more was
        refused before anything was read (`RequestMiddleware`).
    :raises ValidationFailed, UnsupportedMediaType: if the call is not what the operation takes.
    """
    if request.content_type != FORM:
        return read_body(request, shape), None
    request.upload_handlers = [TemporaryFileUploadHandler(request)]
    try:
        fields, files = request.POST, request.FILES
    except RequestDataTooBig:
        raise PayloadTooLarge(BODY_BYTES_MAX) from None
    except (MultiPartParserError, SuspiciousOperation, UnicodeError) as error:
        message = "Send a form of the parts mapping and file."
        raise ValidationFailed([FieldError("", "NOT_A_FORM", message)]) from error
    for name in (*fields, *files):
        if name not in {"mapping", "file"}:
            message = "A form has the parts mapping and file."
            raise ValidationFailed([FieldError(f"/{name[:64]}", "UNKNOWN_FIELD", message)])
    return parse(_mapping(fields, files), shape), _file(files)


def _mapping(fields: Any, files: Any) -> bytes:
    """Return the part `mapping`; some clients send it as a file, to give it its media type."""
    sent = [value.encode() for value in fields.getlist("mapping")]
    for file in files.getlist("mapping"):
        if (file.size or 0) > BODY_BYTES_MAX:
            raise PayloadTooLarge(BODY_BYTES_MAX)
        sent.append(file.read())
    if len(sent) != 1:
        message = "Send one part mapping, with the JSON of the call."
        raise ValidationFailed([FieldError("/mapping", "MISSING_FIELD", message)])
    if len(sent[0]) > BODY_BYTES_MAX:
        raise PayloadTooLarge(BODY_BYTES_MAX)
    return sent[0]


def _file(files: Any) -> "UploadedFile[Any]":
    sent: list[UploadedFile[Any]] = files.getlist("file")
    if len(sent) != 1:
        message = "Send one part file, with a file name."
        raise ValidationFailed([FieldError("/file", "MISSING_FIELD", message)])
    if (sent[0].size or 0) > BYTES_MAX:
        raise PayloadTooLarge(BYTES_MAX)
    return sent[0]
