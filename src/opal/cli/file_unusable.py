"""What the operating system said about a file, as an error of ours. Used by `main.py` and `process`."""

from typing import ClassVar, Self

from opal.errors import OpalError


class FileUnusable(OpalError):
    """A file or folder cannot be read or written.

    Check the path, its permissions and the free space, then run the command again.
    """

    code: ClassVar[str] = "file_unusable"
    title: ClassVar[str] = "File cannot be used"
    expected: ClassVar[bool] = True

    @classmethod
    def from_os_error(cls, error: OSError) -> Self:
        """The file's name and the system's own words for what is wrong."""
        reason = error.strerror or type(error).__name__
        return cls(f"{error.filename}: {reason}." if error.filename else f"{reason}.")
