"""Notes how tries went, all that ended meanwhile in one transaction. Called by ``sender.py``.

A transaction per delivery would queue hundreds of them up behind SQLite's one write lock, before everything
else that web-api has to write.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database import deliveries
from opal.database.deliveries import Due, Failed
from opal.database.engine import Database, utc_now
from opal.database.receivers import FailurePolicy
from opal.outgoing.patience import pause_after
from opal.outgoing_settings import WebhookSettings

_SETTLING_S = 15.0

Outcome = int | Failed
"""The status of a success, or what went wrong."""


@dataclass(frozen=True, slots=True)
class Settled:
    """``following``: the endpoint's next delivery, claimed, if one was wanted and is due.

    ``disabled``: why the endpoint is disabled from now on, if it is.
    """

    following: Due | None = None
    disabled: str | None = None


@dataclass(frozen=True, slots=True)
class _Ended:
    due: Due
    outcome: Outcome
    more: bool
    settled: asyncio.Future[Settled]


class Settling:
    """One per sender. ``claim_s``: long enough to try a delivery once, and to note it."""

    def __init__(self, db: Database, settings: WebhookSettings) -> None:
        self._db = db
        self.claim_s = settings.timeout_s + _SETTLING_S
        self._policy = FailurePolicy(
            settings.max_failures, timedelta(seconds=settings.disable_after_s), pause_after
        )
        self._ended: list[_Ended] = []
        self._writer: asyncio.Task[None] | None = None

    async def settle(self, due: Due, outcome: Outcome, *, more: bool) -> Settled:
        """Note the outcome; with ``more``, and after a success, claim the endpoint's next delivery as well.

        Raises what the transaction raised. The delivery is made again then, when its claim ends.
        """
        ended = _Ended(due, outcome, more, asyncio.get_running_loop().create_future())
        self._ended.append(ended)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="webhook-settling")
        return await ended.settled

    async def claim(self, connection: AsyncConnection, webhook_id: str, limit: int) -> list[Due]:
        """Up to ``limit`` of the endpoint's due deliveries, for long enough to try each once."""
        return await deliveries.claim(connection, webhook_id, limit, now=utc_now(), claim_s=self.claim_s)

    async def close(self) -> None:
        """Wait for what is being noted; call when nothing is under way any more."""
        if self._writer is not None:
            await self._writer

    async def _write(self) -> None:
        while self._ended:
            # Every transaction locks in this order, and endpoints before their deliveries, so that none wait
            # for each other in a circle.
            batch = sorted(
                self._ended, key=lambda ended: (ended.due.webhook_id, isinstance(ended.outcome, int))
            )
            self._ended = []
            try:
                async with self._db.transaction() as connection:
                    settled = [await self._note(connection, ended) for ended in batch]
            except Exception as error:  # whatever it is, it is theirs who wait for it
                for ended in batch:
                    if not ended.settled.done():
                        ended.settled.set_exception(error)
            else:
                for ended, result in zip(batch, settled, strict=True):
                    if not ended.settled.done():
                        ended.settled.set_result(result)

    async def _note(self, connection: AsyncConnection, ended: _Ended) -> Settled:
        if isinstance(ended.outcome, Failed):
            disabled = await deliveries.record_failure(connection, ended.due, ended.outcome, self._policy)
            return Settled(disabled=disabled)
        await deliveries.record_success(connection, ended.due, ended.outcome)
        following = await self.claim(connection, ended.due.webhook_id, 1) if ended.more else []
        return Settled(following=following[0] if following else None)
