"""The root of the error tree, and the walk through it."""

from typing import ClassVar


class OpalError(Exception):
    """Something went wrong inside Opal.

    A fault of Opal's own. The log tells it under the correlation id of the answer; please report
    it.
    """

    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"
    retryable: ClassVar[bool] = False
    expected: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        self.message = message or (self.__doc__ or "").strip().splitlines()[0]
        super().__init__(self.message)


def walk(root: type[OpalError] = OpalError) -> list[type[OpalError]]:
    """Every error class under ``root``, parents before children, for docs and tests."""
    found = [root]
    for child in root.__subclasses__():
        found.extend(walk(child))
    return found
