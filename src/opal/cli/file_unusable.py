"""What the operating system said about a file, as an error of ours. Used by `main.py` and `process`."""

from typing import ClassVar

from opal.errors import OpalError, StorageFull


class FileUnusable(OpalError):
    """A file or folder cannot be read or written.

    Check the path and its permissions, then run the command again.
    """

    code: ClassVar[str] = "file_unusable"
    title: ClassVar[str] = "File cannot be used"
    expected: ClassVar[bool] = True


def file_error(error: OSError) -> FileUnusable | StorageFull:
    """The file's name and the system's own words for what is wrong."""
    reason = error.strerror or type(error).__name__
    told = f"{error.filename}: {reason}." if error.filename else f"{reason}."
    return StorageFull(told) if StorageFull.caused(error) else FileUnusable(told)
