"""Whether a service can be reached from other machines. What serves without a key must not be."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether what listens on ``host``, an address or a name, is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
