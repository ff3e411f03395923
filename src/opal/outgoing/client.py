"""The one way out to addresses that somebody else chose. Used for webhooks, and by
``gate.py`` for deliveries.

A host is resolved once, every address of it judged, and the connection made to an address that was judged:
a name that leads elsewhere a moment later changes nothing. No redirects, cookies, proxies or second uses of
a connection; a bound on the whole time and on the bytes that are read.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from opal.errors import AddressRefused, OutgoingFailed
from opal.outgoing.addresses import Target, parse_target, require_allowed
from opal.outgoing.authorities import authorities
from opal.outgoing_settings import OutgoingSettings

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host and port to addresses; raises OSError for a name that is not known."""

CHECK_S = 5.0
_CONNECT_S = 5.0
_MOST_ADDRESSES = 3
_RESOLVERS = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``body`` is as it was sent, encoded or not; ``whole`` says whether it is all of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


class Outgoing:
    """One per process; safe for many tasks at once.

    ``resolve`` and ``tls`` replace the system's resolver and its trusted authorities.
    """

    def __init__(
        self, settings: OutgoingSettings, *, resolve: Resolve | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._private = settings.private_addresses == "allow"
        # Threads of its own: name servers that are slow must not hold up anything else.
        self._threads = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="resolver")
        self._resolve = resolve or self._system_resolve
        # The bare transport: a client on top would keep cookies, and send one host's to another behind the
        # same address.
        self._transport = httpx.AsyncHTTPTransport(
            verify=tls or authorities(),
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def check(self, url: str) -> None:
        """Raises ``AddressRefused`` for a URL that would not be called now, unknown names among them."""
        target = parse_target(url, private=self._private)
        try:
            async with asyncio.timeout(CHECK_S):
                await self._addresses(target)
        except (OutgoingFailed, TimeoutError) as error:
            raise AddressRefused(f"{target.host} cannot be found.") from error

    async def send(
        self,
        method: str,
        url: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout_s: float,
        max_body_bytes: int,
    ) -> Answer:
        """Call ``url`` once; any status is an answer, also a redirect.

        ``timeout_s`` bounds everything from the name's resolution to the last byte. Of the answer's body at
        most ``max_body_bytes`` are read. Raises ``AddressRefused`` when the rules forbid the call, and
        ``OutgoingFailed`` when no answer came.
        """
        target = parse_target(url, private=self._private)
        try:
            async with asyncio.timeout(timeout_s):
                addresses = await self._addresses(target)
                return await self._first_that_connects(
                    addresses, _Call(method, target, content, headers or {}, timeout_s, max_body_bytes)
                )
        except (TimeoutError, httpx.TimeoutException) as error:
            raise OutgoingFailed(f"No answer within {timeout_s:g} s.") from error
        except (httpx.TransportError, httpx.StreamError, ssl.SSLError, OSError) as error:
            raise OutgoingFailed(_reason(error)) from error

    async def connect(self, url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare connection, without TLS, to the host of ``url`` at an address that was judged.

        Raises ``AddressRefused`` when the rules forbid it, and ``OutgoingFailed`` when nobody listens there.
        """
        target = parse_target(url, private=self._private)
        failure: Exception | None = None
        for address in await self._addresses(target):
            try:
                async with asyncio.timeout(_CONNECT_S):
                    return await asyncio.open_connection(address, target.port)
            except (OSError, TimeoutError) as error:
                failure = error
        raise OutgoingFailed("The connection was refused.") from failure

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _addresses(self, target: Target) -> list[str]:
        try:
            found = await self._resolve(target.host, target.port)
        except (OSError, UnicodeError) as error:
            raise OutgoingFailed(f"{target.host} cannot be found.") from error
        require_allowed(target.host, found, private=self._private)
        return list(dict.fromkeys(found))[:_MOST_ADDRESSES]

    async def _first_that_connects(self, addresses: list[str], call: "_Call") -> Answer:
        for address in addresses[:-1]:
            try:
                return await self._call(address, call)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._call(addresses[-1], call)

    async def _call(self, address: str, call: "_Call") -> Answer:
        response = await self._transport.handle_async_request(call.to(address))
        try:
            body = bytearray()
            # Raw: a small body may unpack to a very large one.
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > call.max_body_bytes:
                    break
        finally:
            await response.aclose()
        kept = bytes(body[: call.max_body_bytes])
        return Answer(response.status_code, response.headers, kept, len(kept) == len(body))

    async def _system_resolve(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return [str(address[0]) for *_, address in found]


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    target: Target
    content: bytes
    headers: Mapping[str, str]
    timeout_s: float
    max_body_bytes: int

    def to(self, address: str) -> httpx.Request:
        """The request to one address, by the name that was asked for in Host header and TLS."""
        timeout = httpx.Timeout(self.timeout_s, connect=min(_CONNECT_S, self.timeout_s))
        return httpx.Request(
            self.method,
            self.target.url.copy_with(host=address, fragment=None),
            content=self.content,
            headers={**self.headers, "Host": self.target.host_header, "Accept-Encoding": "identity"},
            extensions={"timeout": timeout.as_dict(), "sni_hostname": self.target.host},
        )


def _reason(error: Exception) -> str:
    """A sentence without addresses, which would tell a stranger about our network."""
    if isinstance(error, httpx.ConnectError):
        certificate = "certificate" in str(error).lower()
        return "Its certificate was not accepted." if certificate else "The connection was refused."
    if isinstance(error, httpx.RemoteProtocolError):
        return "It closed the connection without an answer, or answered with something else than HTTP."
    return f"The connection broke ({type(error).__name__})."
