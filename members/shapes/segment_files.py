"""What is to become of a segment's file, as calls say it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.core.files.uploadedfile import UploadedFile
from msgspec import Meta

from loyalty.api.fields import PLAIN, Body, Instant, check_instant
from loyalty.errors import FieldError, ValidationFailed
from members.services.segment_import import Wanted

Text = Annotated[str, Meta(min_length=1, max_length=200, pattern=PLAIN)]


class FileBody(Body, kw_only=True):
    """How a file is read and what for. `path` names one under the import folder."""

    mode: Literal["ADD", "REMOVE", "REPLACE"]
    key: Literal["number", "card", "alias"] = "number"
    provider: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,63}$")] | None = None
    path: Annotated[str, Meta(min_length=1, max_length=1000, pattern=PLAIN)] | None = None
    encoding: Literal["utf-8", "utf-16", "cp1252", "latin-1"] | None = None
    header: bool | None = None
    column: Text | Annotated[int, Meta(ge=1, le=1000)] | None = None
    until: Instant | None = None
    allow_empty: bool = False


def wanted_of(body: FileBody, *, dry_run: bool = False) -> Wanted:
    """Return what a call wants of a file as the import takes it."""
    return Wanted(
        mode=body.mode,
        key=body.key,
        provider=body.provider,
        encoding=body.encoding,
        header=body.header,
        column=body.column,
        until=body.until,
        dry_run=dry_run,
        allow_empty=body.allow_empty,
    )


def check_file(
    body: FileBody, file: "UploadedFile[Any] | None", now: datetime, *, below: str = ""
) -> None:
    """Refuse a call without one file, or with an end that makes no sense.

    `below` is the pointer of the part that says what is to become of the file.

    :raises ValidationFailed: with the pointer of what is wrong.
    """
    if (file is None) == (body.path is None):
        message = "Send a file, or name one by its path: one of the two."
        raise ValidationFailed([FieldError(f"{below}/path", "EXACTLY_ONE", message)])
    check_instant(body.until, f"{below}/until")
    if body.until is not None and body.until <= now:
        message = "The end has passed already."
        raise ValidationFailed([FieldError(f"{below}/until", "IN_PAST", message)])
    if body.until is not None and body.mode == "REMOVE":
        message = "Only who is added has an end."
        raise ValidationFailed([FieldError(f"{below}/until", "NOT_HERE", message)])
