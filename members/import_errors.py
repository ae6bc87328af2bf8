"""The refusals of imports of files; those of everything else are in `errors`."""

from loyalty.errors import Conflict, Refused


class SegmentFileEmpty(Refused):
    """A file that names no member would empty the segment that it replaces."""

    code = "SEGMENT_FILE_EMPTY"
    title = "The file names nobody"

    def __init__(self) -> None:
        super().__init__(
            "No line of the file names a member, and REPLACE would empty the segment. Look at the"
            " job's errors, or send allow_empty."
        )


class ImportSuperseded(Conflict):
    """A file that was sent later was put into effect first."""

    code = "IMPORT_SUPERSEDED"
    title = "A later file was there first"

    def __init__(self) -> None:
        super().__init__(
            "A file that was sent later is in effect, and one of the two replaces. Send this one"
            " again if it is to count."
        )


class FileChanged(Conflict):
    """The file is not the one that the job was started for."""

    code = "FILE_CHANGED"
    title = "The file was changed"

    def __init__(self) -> None:
        super().__init__("The file was written anew since the job was started. Start another.")
