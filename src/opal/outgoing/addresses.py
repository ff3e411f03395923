"""Which addresses may be called at all. Pure: names are resolved in ``client.py``, every answer judged here.

The lists follow IANA's registries of special-purpose addresses. ``is_global`` alone would not do: it lets
multicast, relays into other networks and the clouds' own service addresses pass, and differs between Pythons.
"""

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import httpx

from opal.errors import AddressRefused

LONGEST_URL = 2048
_PORTS = {"https": 443, "http": 80}
_PUBLIC_PORTS = frozenset({443, 8443})


class Reach(Enum):
    """Where an address leads."""

    PUBLIC = "public"
    PRIVATE = "private"
    """This machine or its own network: only where the settings allow it."""
    NOWHERE = "nowhere"
    """Never called: no single host, a way around these rules, or a cloud's own services."""


_PRIVATE_V4 = tuple(
    map(IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
)
_NOWHERE_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network; Linux takes it for this machine
            "100.100.100.200/32",  # metadata of one cloud, inside the range of carriers
            "168.63.129.16/32",  # Azure's wire server, in a range that is otherwise public
            "169.254.0.0/16",  # link-local, and the clouds' metadata
            "192.0.0.0/24",  # protocol assignments, and metadata of one cloud
            "192.0.2.0/24",  # documentation, as two of the following
            "192.88.99.0/24",  # relays of 6to4
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
_PRIVATE_V6 = tuple(map(IPv6Network, ("::1/128", "fc00::/7")))
_NOWHERE_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: any IPv4 address in disguise
            "3fff::/20",  # documentation
            "fd00:ec2::/32",  # metadata of one cloud, inside the private range
            "fd20:ce::/32",  # and of another
        ),
    )
)
# Only these are given out. Mapped (::ffff:0:0/96), translated (64:ff9b::/96, 64:ff9b:1::/48), link-local,
# multicast and what is not assigned yet all lie outside.
_GIVEN_OUT_V6 = IPv6Network("2000::/3")


def reach_of(address: str) -> Reach:
    """Where ``address``, IPv4 or IPv6 as a resolver writes it, leads; text that is none leads nowhere."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return Reach.NOWHERE
    return _reach_v4(parsed) if isinstance(parsed, IPv4Address) else _reach_v6(parsed)


def _reach_v4(address: IPv4Address) -> Reach:
    if any(address in network for network in _NOWHERE_V4):
        return Reach.NOWHERE
    if any(address in network for network in _PRIVATE_V4):
        return Reach.PRIVATE
    # What a newer registry knows better than the lists above.
    return Reach.PUBLIC if address.is_global else Reach.NOWHERE


def _reach_v6(address: IPv6Address) -> Reach:
    if address.scope_id is not None or any(address in network for network in _NOWHERE_V6):
        return Reach.NOWHERE
    if any(address in network for network in _PRIVATE_V6):
        return Reach.PRIVATE
    return Reach.PUBLIC if address in _GIVEN_OUT_V6 and address.is_global else Reach.NOWHERE


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart: what to resolve, and what to tell the server that was found."""

    url: httpx.URL
    host: str
    """As a resolver wants it: ASCII, IPv6 without brackets."""
    port: int

    @property
    def host_header(self) -> str:
        """Host, and the port where it is not the scheme's own."""
        return self.url.netloc.decode("ascii")


def parse_target(text: str, *, private: bool) -> Target:
    """Take ``text`` apart. Raises ``AddressRefused`` for what must not be called whatever it resolves to.

    HTTPS on port 443 or 8443 only; with ``private`` also HTTP and any port.
    """
    try:
        url = httpx.URL(text)
        host = url.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError, TypeError) as error:
        raise AddressRefused("This is not a URL.") from error
    if len(text) > LONGEST_URL:
        raise AddressRefused(f"A URL has at most {LONGEST_URL} characters.")
    if url.scheme not in (_PORTS if private else {"https"}):
        raise AddressRefused(f"The URL must begin with {'http:// or ' if private else ''}https://.")
    if url.userinfo:
        raise AddressRefused("A URL with a user name or password is not called.")
    if not host or "%" in host:
        raise AddressRefused("The URL names no host.")
    port = url.port if url.port is not None else _PORTS[url.scheme]
    if not 0 < port <= 65535 or not (private or port in _PUBLIC_PORTS):
        allowed = "1 to 65535" if private else "443 or 8443"
        raise AddressRefused(f"The URL's port must be {allowed}.")
    return Target(url, host, port)


def require_allowed(host: str, addresses: list[str], *, private: bool) -> None:
    """Raises ``AddressRefused`` unless every one of ``addresses`` may be called.

    Every one, as nobody knows which of them a second look would bring. The message does not say which
    address it was: a private network's names are nobody else's business.
    """
    allowed = {Reach.PUBLIC, Reach.PRIVATE} if private else {Reach.PUBLIC}
    if not addresses or any(reach_of(address) not in allowed for address in addresses):
        raise AddressRefused(f"{host} leads to an address that may not be called.")
