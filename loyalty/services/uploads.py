"""Files that jobs work through: uploads under random names, and the import folder's by their path.

Neither folder is served by anything. An upload is moved into its folder, never read into memory.
"""

import hashlib
import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

import uuid_utils.compat
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from loyalty.errors import FieldError, FileMissing, ValidationFailed
from loyalty.models import Job, Upload

BYTES_MAX = 1024**3
KEPT = timedelta(days=7)
_NAME_LENGTH_MAX = 200


def keep(file: "UploadedFile[Any]", *, at: datetime) -> Upload:
    """Keep an uploaded file under a random name.

    The file is moved before its row is written: if the row is not, the file is an orphan, which
    `forget_old` deletes.
    """
    row = Upload(
        id=uuid_utils.compat.uuid7(),
        name=_plain(file.name or "file"),
        size=file.size or 0,
        created_at=at,
    )
    path = path_of(row.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    if hasattr(file, "temporary_file_path"):
        shutil.move(file.temporary_file_path(), path)
    else:
        with path.open("wb") as target:
            shutil.copyfileobj(file, target)
    path.chmod(0o640)
    row.save(force_insert=True)
    return row


def sha256(file: "UploadedFile[Any]") -> str:
    """Return the digest of what an uploaded file holds, in constant memory."""
    digest = hashlib.sha256()
    for piece in file.chunks(1024 * 1024):
        digest.update(piece)
    file.seek(0)
    return digest.hexdigest()


def path_of(upload_id: UUID) -> Path:
    """Return where an upload is kept."""
    return Path(settings.LAUREL_UPLOAD_FOLDER) / f"{upload_id}.upload"


def discard(upload: Upload) -> None:
    """Delete a file that no job was started for."""
    path_of(upload.id).unlink(missing_ok=True)
    Upload.objects.filter(pk=upload.pk).delete()


def under_import_folder(given: str, pointer: str = "/path", *, below: str = "") -> Path:
    """Return a file under the import folder, or a folder `below` it, that was named by its path.

    :raises ValidationFailed: if the path leads elsewhere, by itself or over a link.
    :raises FileMissing: if there is no such file.
    """
    folder = Path(settings.LAUREL_IMPORT_FOLDER).resolve() / below
    named = PurePosixPath(given)
    if named.is_absolute() or ".." in named.parts or "\0" in given:
        raise ValidationFailed([FieldError(pointer, "NOT_A_PATH", _PATH)])
    try:
        path = (folder / named).resolve()
        inside = path.is_relative_to(folder)
        there = path.is_file()
    except (OSError, RuntimeError):  # Too long a name, or links in a circle.
        raise FileMissing from None
    if not inside:
        raise ValidationFailed([FieldError(pointer, "NOT_A_PATH", _PATH)])
    if not there:
        raise FileMissing
    return path


_PATH = "Give a path below the import folder, without .. in it."


def forget_old(*, at: datetime) -> int:
    """Delete uploads older than a week that no unfinished job needs, and files without a row."""
    unfinished = Job.objects.filter(status__in=[Job.Status.PENDING, Job.Status.RUNNING])
    needed = set(unfinished.values_list("parameters__upload", flat=True))
    old = Upload.objects.filter(created_at__lt=at - KEPT)
    gone = [upload for upload in old if str(upload.pk) not in needed]
    for upload in gone:
        discard(upload)
    _forget_orphans(at)
    return len(gone)


def _forget_orphans(at: datetime) -> None:
    folder = Path(settings.LAUREL_UPLOAD_FOLDER)
    if not folder.is_dir():
        return
    known = {path_of(key).name for key in Upload.objects.values_list("pk", flat=True)}
    with os.scandir(folder) as files:
        for file in files:
            age = at.timestamp() - file.stat(follow_symlinks=False).st_mtime
            if file.name not in known and age > KEPT.total_seconds():
                Path(file.path).unlink(missing_ok=True)


def _plain(name: str) -> str:
    """Return a sender's name of a file without control characters, for people to read."""
    return "".join(sign for sign in name if sign.isprintable())[-_NAME_LENGTH_MAX:]
