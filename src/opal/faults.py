"""What pydantic finds wrong, in words: nobody should have to read a regular expression.

Called wherever a ``ValidationError`` becomes an error of ours, and by the models whose texts have a pattern.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

_PATTERN: Final = "string_pattern_mismatch"
_WORDS: Final[dict[str, str]] = {}
"""By regular expression, which is all that pydantic tells of the one that was not met."""


def in_words(pattern: str, words: str) -> str:
    """``pattern`` itself, for a field's ``pattern=``; a text that it refuses "should be ``words``".

    Raises ValueError for a pattern that has other words already.
    """
    if _WORDS.setdefault(pattern, words) != words:
        raise ValueError(f"{pattern} has other words: {_WORDS[pattern]}")
    return pattern


def has_words(pattern: str) -> bool:
    """Whether a refusal of ``pattern`` can be told."""
    return pattern in _WORDS


def message_of(fault: Mapping[str, Any]) -> str:
    """One fault of ``ValidationError.errors()`` as a sentence without a full stop."""
    if fault["type"] == _PATTERN:
        return f"Should be {_WORDS.get(fault['ctx']['pattern'], 'of another form')}"
    return str(fault["msg"]).removeprefix("Value error, ")


def first_fault(error: ValidationError, whole: str) -> str:
    """The first fault as `field: reason`; `whole` stands in when the fault is in no one field."""
    fault = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in fault["loc"]) or whole
    return f"{place}: {message_of(fault)}"


# Shapes that several parts know.
PRINTABLE: Final = in_words(r"^[^\x00-\x1f\x7f]*$", "text without control characters such as line breaks")
BASE_URL: Final = in_words(
    r"^https?://[^\x00-\x20\x7f?#]+$",
    "an address that begins with http:// or https://, without spaces, ? and #",
)
SMALL_NAME: Final = in_words(r"^[a-z0-9-]{1,64}$", "1 to 64 small letters, digits and hyphens")
