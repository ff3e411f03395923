"""Whether the other services can work, by what they say themselves at ``/readyz``. Called by web-api."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import httpx

from opal.outgoing.authorities import authorities

_TIMEOUT_S: Final = 3.0

State = Literal["ready", "not_ready", "away"]


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What a service answered; ``faults`` names what it lacks."""

    name: str
    state: State
    faults: tuple[str, ...]
    took_s: float


class OtherServices:
    """Asks the services at ``addresses``, base URLs by name. ``close`` it in the end."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = addresses

    async def ask(self) -> list[ServiceState]:
        """All of them at once, each for at most three seconds; in the order of the settings."""
        return list(await asyncio.gather(*(self._ask(*each) for each in self._addresses.items())))

    async def close(self) -> None:
        """Release connections."""
        if "_client" in self.__dict__:
            await self._client.aclose()

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False, verify=authorities())

    async def _ask(self, name: str, address: str) -> ServiceState:
        begun = time.monotonic()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                answer = await self._client.get(f"{address.rstrip('/')}/readyz")
        except (httpx.HTTPError, TimeoutError):
            return ServiceState(name, "away", (), time.monotonic() - begun)
        state: State = "ready" if answer.is_success else "not_ready"
        return ServiceState(name, state, _faults(answer), time.monotonic() - begun)


def _faults(answer: httpx.Response) -> tuple[str, ...]:
    """The names of what failed: a worker's page has them as an object, an HTTP service's as a problem."""
    if answer.is_success:
        return ()
    try:
        told: Any = answer.json()
    except ValueError:
        return ()
    if not isinstance(told, dict):
        return ()
    by_name, listed = told.get("faults"), told.get("errors")
    if isinstance(by_name, dict):
        return tuple(str(name) for name in by_name)
    if isinstance(listed, list):
        return tuple(str(each["where"]) for each in listed if isinstance(each, dict) and "where" in each)
    return ()
