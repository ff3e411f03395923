"""Takes secrets out of text: those of this process by their value, all others by how they look.

Called for every log line and for every attribute of a span.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr

_PATTERNS = (
    # Signed URLs: everything after the question mark is a permission to read or write.
    (re.compile(r"(https?://[^\s\"'?]+)\?[^\s\"']*"), r"\1?[signature removed]"),
    # Percent-encoded as well, as in a URL inside of another one.
    (re.compile(r"(?i)\b(sig|token|csrf)(=|%3D)[^\s&\"']+"), r"\1\2[removed]"),
    # A console's session, sealed: in a Cookie or Set-Cookie header, or by itself.
    (re.compile(r"(?i)\b((?:set-)?cookie(?:['\"]\s*[:=,]|\s*[:=])\s*b?['\"]?)[^\r\n'\"]+"), r"\1[removed]"),
    (re.compile(r"(?<![A-Za-z0-9])gAAAA[\w-]{20,}=*"), "[sealed removed]"),
    # Of a public link the item's number is enough to find it by; with the rest anybody could fetch it.
    (re.compile(r"(/p/[0-9a-f]{24})[0-9a-f]{8,}"), r"\1[seal removed]"),
    (re.compile(r"(?i)\b(X-Amz-(?:Signature|Credential|Security-Token))=[^\s&\"']+"), r"\1=[removed]"),
    (re.compile(r"(?i)\b(SharedAccessKey|AccountKey|InstrumentationKey)=[^;\s\"']+"), r"\1=[removed]"),
    # A password in a URL, as in that of a database.
    (re.compile(r"\b([a-z][a-z0-9+.-]*://[^\s:/@\"']*):[^\s/@\"']+@"), r"\1:[password removed]@"),
    # Wherever it stands, right after a letter too; in capitals it opens nothing, and was one all the same.
    (re.compile(r"(?i)(opal_[0-9a-f]{4,}_)[0-9a-f]{8,}"), r"\1[secret removed]"),
    (re.compile(r"whsec_[\w+/=-]+"), "whsec_[secret removed]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), r"\1 [secret removed]"),
    (
        re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)", re.DOTALL),
        r"[\1 removed]",
    ),
)
# Fields that are secret whatever they look like.
_SECRET_FIELD = re.compile(
    r"(?i)(password|secret|authorization|api[_-]?key|connection_string|cookie|csrf([_-]token)?)$"
)

_SHORTEST = 8
"""A shorter secret is not searched for by value: it would be found inside of ordinary words."""


class _Known:
    """The values of this process's own secrets, the longest first."""

    values: tuple[str, ...] = ()


def know(secrets: Iterable[str]) -> None:
    """From now on mask these values wherever they stand; they take the place of those known before."""
    _Known.values = tuple(sorted({each for each in secrets if len(each) >= _SHORTEST}, key=len, reverse=True))


def redact(text: str) -> str:
    """``text`` without signatures, passwords, keys, webhooks' secrets and bearer tokens."""
    for value in _Known.values:
        if value in text:
            text = text.replace(value, "[secret removed]")
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redacted(value: Any) -> Any:
    """``value`` with every text in it redacted, however deep in lists and mappings.

    Bytes and exceptions become the text that they would be logged as, and that redacted.
    """
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return redact(bytes(value).decode("utf-8", "backslashreplace"))
    if isinstance(value, BaseException):
        return redact(repr(value))
    if isinstance(value, Mapping):
        return {key: redacted_field(str(key), each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(each) for each in value]
    return value


def redacted_field(name: str, value: Any) -> Any:
    """The same for a field of that name, which may say that the value is secret."""
    if value is not None and _SECRET_FIELD.search(name):
        return "[removed]"
    return redacted(value)


def secrets_in(settings: BaseModel) -> Iterable[str]:
    """Every secret that ``settings`` hold, those of a list apart by commas one by one."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from secrets_in(value)
        elif isinstance(value, SecretStr):
            yield value.get_secret_value()
            yield from value.get_secret_value().split(",")
        elif isinstance(value, str) and "://" in value and (password := urlsplit(value).password):
            yield from (password, unquote(password))
