"""Every state of an item and every legal move; the job's status follows from its items.

The tables and the diagram of docs/states.md are generated from this file.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class ItemState(StrEnum):
    """Where one photo is on its way."""

    CREATED = "created"
    UPLOADED = "uploaded"
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    EXPORTED = "exported"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobStatus(StrEnum):
    """What a job is doing, derived from its items and never stored."""

    CREATED = "created"
    RUNNING = "running"
    FINISHED = "finished"
    FINISHED_WITH_FAILURES = "finished_with_failures"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Move:
    """One legal move: who makes it and when."""

    source: ItemState
    target: ItemState
    by: str
    when: str


_S = ItemState
_EARLIER_STAY = "a revision cannot be cut out anew, and the earlier pictures stay"

MOVES: tuple[Move, ...] = (
    Move(_S.CREATED, _S.UPLOADED, "web-api", "the uploaded photo passed its checks"),
    Move(_S.CREATED, _S.FAILED, "web-api, sweeper", "the photo cannot be used, or none came in time"),
    Move(_S.CREATED, _S.CANCELLED, "web-api", "the client cancelled the job"),
    Move(_S.UPLOADED, _S.QUEUED, "outbox relay", "the job message is on the queue"),
    Move(_S.UPLOADED, _S.PROCESSING, "orchestrator", "the message arrived before the relay noted it"),
    Move(_S.UPLOADED, _S.CANCELLED, "web-api", "the client cancelled the job"),
    Move(_S.QUEUED, _S.PROCESSING, "orchestrator", "a worker claimed the item with a lease"),
    Move(_S.QUEUED, _S.CANCELLED, "web-api", "the client cancelled the job"),
    Move(_S.QUEUED, _S.FAILED, "sweeper", "the queue gave the message up"),
    Move(_S.PROCESSING, _S.PROCESSING, "orchestrator", "the lease ran out and another worker took over"),
    Move(_S.PROCESSING, _S.QUEUED, "orchestrator, sweeper", "a retryable failure, or the lease ran out"),
    Move(_S.PROCESSING, _S.COMPLETED, "orchestrator", "scene and matte are stored; the credit is debited"),
    Move(_S.PROCESSING, _S.FAILED, "orchestrator, sweeper", "a permanent failure, or one failure too many"),
    Move(_S.PROCESSING, _S.CANCELLED, "web-api", "the client cancelled the job"),
    Move(
        _S.COMPLETED,
        _S.EXPORTED,
        "export-worker, sweeper",
        "the last variant is stored, or a revision failed and the earlier ones stay",
    ),
    Move(
        _S.COMPLETED,
        _S.FAILED,
        "export-worker, sweeper",
        "the variants cannot be made; the credit is refunded",
    ),
    Move(_S.EXPORTED, _S.COMPLETED, "web-api", "the client asked for a revision of the pictures"),
    Move(_S.EXPORTED, _S.UPLOADED, "web-api", "the client asked for a revision that is cut out anew"),
    Move(_S.UPLOADED, _S.EXPORTED, "orchestrator, upkeep", _EARLIER_STAY),
    Move(_S.QUEUED, _S.EXPORTED, "orchestrator, sweeper, upkeep", _EARLIER_STAY),
    Move(_S.PROCESSING, _S.EXPORTED, "orchestrator, sweeper, upkeep", _EARLIER_STAY),
    Move(_S.FAILED, _S.CREATED, "web-api", "the client sends another photo; a credit is held anew"),
    Move(_S.FAILED, _S.UPLOADED, "web-api", "the client has the photo tried again; a credit is held anew"),
)

LEGAL: frozenset[tuple[ItemState, ItemState]] = frozenset((move.source, move.target) for move in MOVES)
TERMINAL: frozenset[ItemState] = frozenset({_S.EXPORTED, _S.FAILED, _S.CANCELLED})
"""Nothing more happens by itself; only the client may have an item taken up again."""
CANCELLABLE: frozenset[ItemState] = frozenset(
    move.source for move in MOVES if move.target is ItemState.CANCELLED
)


def is_legal(source: ItemState, target: ItemState) -> bool:
    """Whether an item may move from ``source`` to ``target``."""
    return (source, target) in LEGAL


def job_status(states: Iterable[ItemState]) -> JobStatus:
    """The status of a job whose items are in ``states`` (an empty job counts as created)."""
    counts = Counter(states)
    total = counts.total()
    done = sum(counts[state] for state in TERMINAL)
    if total == 0 or counts[_S.CREATED] == total:
        return JobStatus.CREATED
    if done < total:
        return JobStatus.RUNNING
    if counts[_S.CANCELLED] == total or (counts[_S.CANCELLED] and not counts[_S.EXPORTED]):
        return JobStatus.CANCELLED
    if counts[_S.FAILED] == total:
        return JobStatus.FAILED
    return JobStatus.FINISHED_WITH_FAILURES if counts[_S.FAILED] else JobStatus.FINISHED
