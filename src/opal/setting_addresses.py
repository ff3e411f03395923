"""Addresses, connection strings and keys in settings: a wrong one is told at the start, not by every use.

Part of `settings.py`. Checked by what they must be, without the packages that will use them, which take long
to load.
"""

import base64
from typing import Annotated, Final
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import AfterValidator, Field, SecretStr

from opal.faults import BASE_URL, in_words

VERIFIED: Final = "verify-full"
"""The value of ``ssl`` in a PostgreSQL URL that asks for the server's certificate and checks its name."""

_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", VERIFIED)
_POSTGRESQL: Final = "postgresql+asyncpg://"
_SQLITE: Final = "sqlite+aiosqlite:///"


def database_options(url: str) -> dict[str, list[str]]:
    """What follows the ``?`` of a PostgreSQL URL, by name; nothing for any other URL."""
    return parse_qs(_server(url).query) if url.startswith(_POSTGRESQL) else {}


def _split(address: str) -> SplitResult:
    """The parts of an address. Raises ValueError unless it has a host, and a port that there is or none."""
    try:
        parts = urlsplit(address)
        if parts.hostname and parts.port != 0:
            return parts
    except ValueError:
        pass
    raise ValueError("Should name a host, and if a port one from 1 to 65535")


def _reachable(address: str) -> str:
    _split(address)
    return address


def _namespace(host: str) -> str:
    _split(f"sb://{host}")
    return host


def _server(url: str) -> SplitResult:
    # A password may hold any sign but @.
    return urlsplit("//" + url.partition("://")[2].rpartition("@")[2])


def _database(url: str) -> str:
    if url.startswith(_SQLITE):
        return url
    if not url.startswith(_POSTGRESQL):
        raise ValueError(f"Should begin with {_POSTGRESQL} or {_SQLITE}")
    try:
        port = _server(url).port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("Should name a port from 1 to 65535, or none")
    options = database_options(url)
    if "sslmode" in options:
        raise ValueError("Should say ssl= where others say sslmode=")
    if not set(options.get("ssl", ())) <= set(_SSL_MODES):
        raise ValueError(f"ssl should be one of {', '.join(_SSL_MODES)}")
    return url


def _service_bus(secret: SecretStr) -> SecretStr:
    fields = connection_fields(secret.get_secret_value())
    _split(fields.get("endpoint", ""))
    name, key, signature = (
        bool(fields.get(f"sharedaccess{field}")) for field in ("keyname", "key", "signature")
    )
    if (name, key, signature) not in {(True, True, False), (False, False, True)}:
        raise ValueError("Should be Endpoint=sb://HOST/;SharedAccessKeyName=NAME;SharedAccessKey=KEY")
    return secret


def _base64(secret: SecretStr) -> SecretStr:
    try:
        key = base64.b64decode(secret.get_secret_value(), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise ValueError("Should be a key in base64, as Azure shows it")
    return secret


def connection_fields(text: str) -> dict[str, str]:
    """The fields of one of Azure's connection strings, names in small letters. Raises ValueError."""
    parts = [part.partition("=") for part in text.strip().rstrip(";").split(";")]
    if not all(equals for _name, equals, _value in parts):
        raise ValueError("Should be NAME=VALUE;NAME=VALUE")
    return {name.lower(): value for name, _equals, value in parts}


BaseUrl = Annotated[str, Field(pattern=BASE_URL), AfterValidator(_reachable)]
"""An HTTP address to which paths are added, or which is asked as it is."""

DatabaseUrl = Annotated[str, AfterValidator(_database)]
ServiceBusString = Annotated[SecretStr, AfterValidator(_service_bus)]
AccountKey = Annotated[SecretStr, AfterValidator(_base64)]
Namespace = Annotated[
    str,
    Field(pattern=in_words(r"^[A-Za-z0-9.-]+(:[0-9]+)?$", "a host, with or without a port")),
    AfterValidator(_namespace),
]
