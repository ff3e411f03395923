"""The placement endpoint as a function of the orchestrator's process, which answers as it is told.

For experiments about one step of a process, in which what the endpoint does is no question.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable

from tests.faults.instant_endpoint import meta, pictures

from opal.errors import PhotoRefused, ScoringFailed, ScoringUnavailable
from opal.messages.scoring_contract import ScoreMeta, ScoreRequest, ScoreResponse
from opal.scoring_client.client import ScoringClient
from opal.settings import ScoringSettings

SIZE = (96, 128)
"""Of `rig.tiny_photos`."""

Behaviour = Callable[[], Awaitable[None]]
"""What happens before the answer."""


async def answers() -> None:
    """At once."""


async def is_slow() -> None:
    """Long enough for leases and locks to be renewed."""
    await asyncio.sleep(0.8)


async def fails() -> None:
    """It tried and failed; another try may work."""
    raise ScoringFailed("The endpoint failed.")


async def refuses() -> None:
    """The photo cannot be used."""
    raise PhotoRefused("no_product", "There is no product.")


async def is_away() -> None:
    """Nobody looked at the photo."""
    raise ScoringUnavailable("The endpoint is away.")


class InlineEndpoint(ScoringClient):
    """Pictures come inline, so the orchestrator stores them."""

    def __init__(self, behaviour: Behaviour = answers) -> None:
        super().__init__(ScoringSettings())
        self._behaviour = behaviour

    async def score(self, request: ScoreRequest, correlation_id: str) -> ScoreResponse:  # noqa: ARG002 - the contract
        """As the endpoint would answer."""
        await self._behaviour()
        scene, matte = (base64.b64encode(data).decode() for data in pictures(*SIZE))
        told = ScoreMeta.model_validate(meta(*SIZE, request.seed))
        return ScoreResponse(image_bytes_b64=scene, matte_bytes_b64=matte, meta=told)
