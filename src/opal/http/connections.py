"""All connections of a server: how many there may be, and how long each may take for what it sends.

Whoever opens connections and sends nothing, or a byte now and then, must not keep others out. The clocks run
only while it is the client's turn, so that neither an event stream nor a long download has an end.
"""

import ipaddress
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self, cast

import structlog
from uvicorn.server import ServerState

from opal.settings import WebSettings

_OTHER_FILES: Final = 256
"""Files of a process beside its connections': databases, logs, the decoder, what was just accepted."""
_FILES_PER_CONNECTION: Final = 2
"""Its socket, and the photo that it sends or fetches."""
_FEWEST: Final = 16
_SAID_EVERY_S: Final = 60.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What a server allows its clients. Seconds are those in which the client was waited for."""

    connections: int = 1000
    """At a time; one more takes the place of the one that has been idle longest, if any is."""
    per_address: int | None = None
    """Of these, from one IPv4 address or one IPv6 network of 64 bits; None: all."""
    head_s: float = 10.0
    """For a request's address and headers, from the first byte or the connection's beginning."""
    body_grace_s: float = 10.0
    """Of a body, in which no rate is asked."""
    body_bytes_per_s: float = 1024.0
    """The least rate of a body on average after that."""
    body_s: float = 960.0
    """For a whole body: a signed URL's quarter of an hour, and one minute."""
    untaken_s: float = 300.0
    """In which not one byte of an answer is taken. Long, as kernels take a megabyte at a time."""

    @classmethod
    def of(cls, settings: WebSettings) -> Self:
        """As the settings have it, and as many as the process may have files for."""
        return cls(connections_within_files(settings.connections), settings.connections_per_address)


def connections_within_files(wanted: int) -> int:
    """``wanted``, or as many as there are files for once the soft limit is raised as far as it may be."""
    needed = _FILES_PER_CONNECTION * wanted + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    possible = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft < possible:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
        except (OSError, ValueError):
            # Some kernels have a lower limit than the one they tell.
            possible = soft
        soft = possible
    return min(wanted, max((soft - _OTHER_FILES) // _FILES_PER_CONNECTION, _FEWEST))


class Connection(Protocol):
    """What is asked of a connection here; ``protocol.py`` has the one there is."""

    @property
    def address(self) -> str:
        """Where it comes from."""

    @property
    def idle_since(self) -> float | None:
        """When it began to wait for a request that is not there yet; None while there is one."""

    def drop(self) -> None:
        """End it at once, without a word."""

    def look(self, limits: ConnectionLimits, seconds: float) -> None:
        """Count ``seconds`` more, and end it if they are too many."""


class OpenConnections(ServerState):
    """uvicorn's state of a server, which here also admits connections and looks after them."""

    def __init__(self, limits: ConnectionLimits) -> None:
        super().__init__()
        self.limits = limits
        self._said_at = -_SAID_EVERY_S

    def admit(self, arriving: Connection, now: float) -> bool:
        """Whether there is room for ``arriving``, which is among the connections already."""
        others = [each for each in self._all() if each is not arriving]
        most = self.limits.per_address
        if most is not None:
            network = _network(arriving.address)
            near = [each for each in others if _network(each.address) == network]
            if len(near) >= most:
                return self._make_room(near, now)
        return len(others) < self.limits.connections or self._make_room(others, now)

    def look(self, seconds: float) -> None:
        """Look after every connection; called about once a second."""
        for each in self._all():
            each.look(self.limits, seconds)

    def _all(self) -> list[Connection]:
        return [cast("Connection", each) for each in cast("set[Any]", self.connections)]

    def _make_room(self, among: Iterable[Connection], now: float) -> bool:
        """Drop the one that has been waited for longest: who has something to say says it within moments."""
        if now - self._said_at >= _SAID_EVERY_S:
            self._said_at = now
            _log.warning("no room for connections", action="http.full", connections=len(self.connections))
        idle = [(since, each) for each in among if (since := each.idle_since) is not None]
        if not idle:
            return False
        _, longest = min(idle, key=lambda pair: pair[0])
        longest.drop()
        self.connections.discard(cast("Any", longest))
        return True


def _network(address: str) -> str:
    """The address, or the network of an IPv6 one: whoever has one of its addresses has all of them."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped is not None else parsed.packed[:8].hex()
