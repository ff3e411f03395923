"""Who may read ``/metrics``: whoever has the key; without one only clients on the same machine, by its name.

A page in a browser of this machine is one of those clients, once its own name leads here (DNS rebinding);
that name then stands in the Host header.

The figures name no tenant, but they tell how much is going on. Asked by every service before it answers.
"""

import hmac
import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import SecretStr

# Set by what stands before a service: the true client is another one then, and none of this machine.
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


def may_read_metrics(client: str | None, headers: Mapping[str, str], key: SecretStr | None) -> bool:
    """Whether the client at that address, with these headers (names in small letters), may read them."""
    if key is not None:
        scheme, _, presented = headers.get("authorization", "").partition(" ")
        genuine = hmac.compare_digest(
            presented.strip().encode("utf-8", "surrogateescape"), key.get_secret_value().encode()
        )
        return genuine and scheme.lower() == "bearer"
    if client is None or not _is_loopback(client) or any(name in headers for name in _FORWARDED):
        return False
    return _names_this_machine(headers.get("host", ""))


def _names_this_machine(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or _is_loopback(name)


def _is_loopback(client: str) -> bool:
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)
