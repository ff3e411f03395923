"""The list of scenarios that ``test_servicebus_faults.py`` fills, and how they are played."""

import asyncio
from collections.abc import Callable, Coroutine

from tests.contracts.servicebus_world import World, opened_world
from tests.servicebus.server import running_server

AT_A_TIME = 4
"""Scenarios played at once, each with its own server. More would make their times depend on the machine."""

Scenario = Callable[[World], Coroutine[None, None, None]]
SCENARIOS: dict[str, Scenario] = {}


def scenario(play: Scenario) -> Scenario:
    """Have ``test_fault`` play it."""
    SCENARIOS[play.__name__] = play
    return play


async def play_all() -> dict[str, BaseException | None]:
    """What each scenario ended with."""
    places = asyncio.Semaphore(AT_A_TIME)

    async def play(scenario: Scenario) -> None:
        async with places:
            with running_server() as server:
                async with opened_world(server) as world:
                    await scenario(world)

    ended = await asyncio.gather(*map(play, SCENARIOS.values()), return_exceptions=True)
    return dict(zip(SCENARIOS, ended, strict=True))
