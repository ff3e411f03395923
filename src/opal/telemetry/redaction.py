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
    (re.compile(r"\bsig=[^\s&\"']+"), "sig=[removed]"),
    (re.compile(r"(?i)\b(X-Amz-(?:Signature|Credential|Security-Token))=[^\s&\"']+"), r"\1=[removed]"),
    (re.compile(r"(?i)\b(SharedAccessKey|AccountKey|InstrumentationKey)=[^;\s\"']+"), r"\1=[removed]"),
    # A password in a URL, as in that of a database.
    (re.compile(r"\b([a-z][a-z0-9+.-]*://[^\s:/@\"']*):[^\s/@\"']+@"), r"\1:[password removed]@"),
    (re.compile(r"\bopal_([0-9a-f]{4,})_[0-9a-f]{8,}"), r"opal_\1_[secret removed]"),
    (re.compile(r"\bwhsec_[\w+/=-]+"), "whsec_[secret removed]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), r"\1 [secret removed]"),
    (
        re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)", re.DOTALL),
        r"[\1 removed]",
    ),
)
# Fields that are secret whatever they look like.
_SECRET_FIELD = re.compile(r"(?i)(password|secret|authorization|api[_-]?key|connection_string|cookie)$")

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
    """``value`` with every text in it redacted, however deep in lists and mappings."""
    if isinstance(value, str):
        return redact(value)
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
