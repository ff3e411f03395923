"""One job delivered to one target over the API, to its end. Called by ``deliver.py``.

All the work is web-api's; so what is interrupted here goes on there, and a second run only has to find it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opal.cli.api_client import ApiClient, RequestRefused, address
from opal.errors import DeliveryTargetDisabled

_MOST: Final = 1_000_000
_COUNTED: Final = 200
"""So many are counted one by one while they are on their way; more are "more than"."""
_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Progress:
    """What is still on its way, in words, and why the last try of one of these did not succeed."""

    waiting: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """How it ended: files that are due, or how many lie there and which failed."""

    due: int
    delivered: int
    failed: Sequence[dict[str, Any]]


async def deliver(
    api: ApiClient, job_id: str, target_id: str, *, wait: bool, say: Callable[[Progress], None]
) -> Delivered:
    """Make the job due at the target, unless it is on its way there; with ``wait`` follow it to its end.

    Raises ``RequestRefused``: also when the target is disabled meanwhile, as nothing is sent to it then.
    """
    path = address("jobs", job_id, "deliveries")

    async def listed(most: int, state: str) -> Sequence[dict[str, Any]]:
        return await api.entries(path, "deliveries", most, state=state, target_id=target_id)

    due = len(await listed(_MOST, "waiting"))
    if not due:
        due = (await api.post(path, {"target_id": target_id}))["deliveries"]
    if not wait:
        return Delivered(due, 0, [])
    pause_s, said = _FIRST_WAIT_S, None
    while waiting := await listed(_COUNTED + 1, "waiting"):
        target = await api.get(address("delivery-targets", target_id))
        if target["state"] != "active":
            raise RequestRefused(
                DeliveryTargetDisabled.code, f"The target is disabled: {target['disabled_reason']}"
            )
        progress = _progress(waiting)
        if progress != said:
            say(progress)
            said = progress
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_WAIT_S)
    failed = await listed(_MOST, "failed")
    return Delivered(due, len(await listed(_MOST, "delivered")), failed)


def _progress(waiting: Sequence[dict[str, Any]]) -> Progress:
    count = f"more than {_COUNTED}" if len(waiting) > _COUNTED else str(len(waiting))
    problems = [each["last_error"] for each in waiting if each["last_error"]]
    return Progress(count, problems[0] if problems else None)
