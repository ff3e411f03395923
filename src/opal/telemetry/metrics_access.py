"""Who may read ``/metrics``: whoever has the key; without a key only clients on the same machine.

The figures name no tenant, but they tell how much is going on. Asked by every service before it answers.
"""

import hmac
import ipaddress
from collections.abc import Mapping

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
    return client is not None and _is_loopback(client) and not any(name in headers for name in _FORWARDED)


def _is_loopback(client: str) -> bool:
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)
