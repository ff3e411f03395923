"""The statements behind ``local.py``: what each call of the embedded queue does to its tables.

One column decides what may be received: ``visible_at`` holds the send time, a scheduled time, the end
of a delay or the end of a lock, so that "what is due" and "when to look next" are one index look-up.
"""

import json
import secrets
import sqlite3
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from opal.errors import LockLost
from opal.platform_settings import QueueSettings
from opal.queues.interface import MAX_DELIVERY_REASON, Depth, Outgoing, Peeked, Received
from opal.queues.local_file import LocalFile

_PURGE_BATCH = 1000

# Two statements, because an index on some rows serves only a query that names that condition.
_PEEK_ACTIVE = """
SELECT sequence_number, message_id, body, delivery_count, enqueued_at, visible_at, lock_token, NULL, NULL
FROM messages WHERE queue = ? AND dead_reason IS NULL ORDER BY sequence_number LIMIT ?
"""
_PEEK_DEAD = """
SELECT sequence_number, message_id, body, delivery_count, enqueued_at, 0, NULL, dead_reason, dead_description
FROM messages WHERE queue = ? AND dead_reason IS NOT NULL ORDER BY sequence_number LIMIT ?
"""


class LocalStore:
    """The queue file, used from one thread only; ``local.py`` owns that thread.

    Every method raises ``QueueUnavailable`` when SQLite fails; the next call opens the file anew.
    """

    def __init__(self, path: Path, settings: QueueSettings) -> None:
        self._file = LocalFile(path)
        self._settings = settings

    def send(self, queue: str, messages: Sequence[Outgoing]) -> None:
        """Store ``messages``, all or none, leaving out ids sent within the duplicate window."""
        window = round(self._settings.duplicate_window_s * 1e6)
        with self._file.writing() as db:
            now = _now()
            for message in messages:
                if window and not _first_of_its_id(db, queue, message.message_id, now, window):
                    continue
                due = now if message.not_before is None else max(now, _micros(message.not_before))
                db.execute(
                    "INSERT INTO messages (queue, message_id, body, correlation_id, properties, enqueued_at,"
                    " visible_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        queue,
                        message.message_id,
                        message.body,
                        message.correlation_id,
                        json.dumps(dict(message.properties)),
                        now,
                        due,
                    ),
                )
            # Bounded, so that no single send pays for a whole day's ids; expired ids count for nothing.
            db.execute(
                "DELETE FROM sent_ids WHERE (queue, message_id) IN"
                " (SELECT queue, message_id FROM sent_ids WHERE sent_at <= ? LIMIT ?)",
                (now - window, _PURGE_BATCH + 2 * len(messages)),
            )

    def next_due(self, queue: str) -> datetime | None:
        """When the earliest message can be received (maybe in the past); None when there is none."""
        with self._file.reading() as db:
            row = db.execute(
                "SELECT min(visible_at) FROM messages WHERE queue = ? AND dead_reason IS NULL", (queue,)
            ).fetchone()
        return None if row[0] is None else _moment(row[0])

    def claim(self, queue: str, limit: int) -> list[Received]:
        """Lock up to ``limit`` due messages, oldest first, and dead-letter those delivered too often."""
        claimed: list[Received] = []
        with self._file.writing() as db:
            now = _now()
            locked_until = now + round(self._settings.lock_s * 1e6)
            while len(claimed) < limit:
                rows = db.execute(
                    "SELECT sequence_number, message_id, body, correlation_id, properties, enqueued_at,"
                    " delivery_count FROM messages WHERE queue = ? AND visible_at <= ?"
                    " AND dead_reason IS NULL ORDER BY visible_at, sequence_number LIMIT ?",
                    (queue, now, limit - len(claimed)),
                ).fetchall()
                if not rows:
                    break
                for number, message_id, body, correlation_id, properties, enqueued_at, deliveries in rows:
                    if deliveries >= self._settings.max_delivery_count:
                        _bury(db, number, MAX_DELIVERY_REASON, f"delivered {deliveries} times")
                        continue
                    token = secrets.token_hex(16)
                    db.execute(
                        "UPDATE messages SET visible_at = ?, lock_token = ?,"
                        " delivery_count = delivery_count + 1 WHERE sequence_number = ?",
                        (locked_until, token, number),
                    )
                    claimed.append(
                        Received(
                            queue=queue,
                            message_id=message_id,
                            body=body,
                            correlation_id=correlation_id,
                            properties=json.loads(properties),
                            delivery_count=deliveries + 1,
                            sequence_number=number,
                            enqueued_at=_moment(enqueued_at),
                            locked_until=_moment(locked_until),
                            lock_token=token,
                        )
                    )
        return claimed

    def give_back(self, messages: Sequence[Received]) -> None:
        """Undo a claim whose messages never reached anybody: visible again, delivery not counted."""
        with self._file.writing() as db:
            for message in messages:
                db.execute(
                    "UPDATE messages SET visible_at = enqueued_at, lock_token = NULL,"
                    " delivery_count = delivery_count - 1 WHERE sequence_number = ? AND lock_token = ?",
                    (message.sequence_number, message.lock_token),
                )

    def complete(self, message: Received) -> None:
        """Delete the message while we hold its lock, else raise ``LockLost``."""
        with self._file.writing() as db:
            _require_lock(db, message)
            db.execute("DELETE FROM messages WHERE sequence_number = ?", (message.sequence_number,))

    def abandon(self, message: Received, delay: timedelta) -> None:
        """Unlock the message; without ``delay`` it returns to its old place in the queue."""
        with self._file.writing() as db:
            _require_lock(db, message)
            if message.delivery_count >= self._settings.max_delivery_count:
                description = f"delivered {message.delivery_count} times"
                _bury(db, message.sequence_number, MAX_DELIVERY_REASON, description)
                return
            due = _micros(message.enqueued_at) if delay <= timedelta(0) else _now() + _length(delay)
            db.execute(
                "UPDATE messages SET visible_at = ?, lock_token = NULL WHERE sequence_number = ?",
                (due, message.sequence_number),
            )

    def dead_letter(self, message: Received, reason: str, description: str) -> None:
        """Move the message to the dead letters while we hold its lock."""
        with self._file.writing() as db:
            _require_lock(db, message)
            _bury(db, message.sequence_number, reason, description)

    def renew(self, message: Received) -> datetime:
        """Lock the message for another period from now; returns the new end."""
        with self._file.writing() as db:
            _require_lock(db, message)
            locked_until = _now() + round(self._settings.lock_s * 1e6)
            db.execute(
                "UPDATE messages SET visible_at = ? WHERE sequence_number = ?",
                (locked_until, message.sequence_number),
            )
        return _moment(locked_until)

    def peek(self, queue: str, *, dead: bool, limit: int) -> list[Peeked]:
        """The oldest messages, or dead letters, as they are."""
        with self._file.reading() as db:
            rows = db.execute(_PEEK_DEAD if dead else _PEEK_ACTIVE, (queue, limit)).fetchall()
        now = _now()
        return [
            Peeked(
                message_id=message_id,
                sequence_number=number,
                body=body,
                delivery_count=deliveries,
                enqueued_at=_moment(enqueued_at),
                scheduled_for=_moment(visible_at) if token is None and visible_at > now else None,
                dead_letter_reason=reason,
                dead_letter_description=text,
            )
            for number, message_id, body, deliveries, enqueued_at, visible_at, token, reason, text in rows
        ]

    def redrive(self, queue: str, limit: int) -> int:
        """Make the oldest dead letters receivable again, as if sent now for the first time."""
        with self._file.writing() as db:
            now = _now()
            return db.execute(
                "UPDATE messages SET dead_reason = NULL, dead_description = NULL, lock_token = NULL,"
                " delivery_count = 0, enqueued_at = ?, visible_at = ? WHERE sequence_number IN"
                " (SELECT sequence_number FROM messages WHERE queue = ? AND dead_reason IS NOT NULL"
                " ORDER BY sequence_number LIMIT ?)",
                (now, now, queue, limit),
            ).rowcount

    def purge(self, queue: str, limit: int, reason: str | None) -> int:
        """Delete the oldest dead letters, or those of one reason."""
        with self._file.writing() as db:
            return db.execute(
                "DELETE FROM messages WHERE sequence_number IN"
                " (SELECT sequence_number FROM messages WHERE queue = :queue AND dead_reason IS NOT NULL"
                " AND (:reason IS NULL OR dead_reason = :reason) ORDER BY sequence_number LIMIT :most)",
                {"queue": queue, "reason": reason, "most": limit},
            ).rowcount

    def depth(self, queue: str) -> Depth:
        """Counts; a message waiting out a delay is scheduled, a locked one is active."""
        with self._file.reading() as db:
            now = _now()
            active, total, oldest = db.execute(
                "SELECT count(*) FILTER (WHERE lock_token IS NOT NULL OR visible_at <= :now), count(*),"
                " min(enqueued_at) FILTER (WHERE lock_token IS NOT NULL OR visible_at <= :now)"
                " FROM messages WHERE queue = :queue AND dead_reason IS NULL",
                {"queue": queue, "now": now},
            ).fetchone()
            (dead,) = db.execute(
                "SELECT count(*) FROM messages WHERE queue = ? AND dead_reason IS NOT NULL", (queue,)
            ).fetchone()
        return Depth(active, total - active, dead, None if oldest is None else _moment(oldest))

    def check(self) -> None:
        """Take and release the write lock, which needs a whole and writable file."""
        with self._file.writing():
            pass

    def close(self) -> None:
        """Close the file; a later call would open it again."""
        self._file.close()


def _first_of_its_id(db: sqlite3.Connection, queue: str, message_id: str, now: int, window: int) -> bool:
    """Note the id as sent now; False when it was sent within ``window`` already."""
    return (
        db.execute(
            "INSERT INTO sent_ids (queue, message_id, sent_at) VALUES (?, ?, ?)"
            " ON CONFLICT (queue, message_id) DO UPDATE SET sent_at = excluded.sent_at WHERE sent_at <= ?",
            (queue, message_id, now, now - window),
        ).rowcount
        == 1
    )


def _require_lock(db: sqlite3.Connection, message: Received) -> None:
    """A lock ends at its time, taken by another or not, as on Service Bus."""
    held = db.execute(
        "SELECT 1 FROM messages WHERE sequence_number = ? AND lock_token = ? AND visible_at > ?",
        (message.sequence_number, message.lock_token, _now()),
    ).fetchone()
    if held is None:
        raise LockLost


def _bury(db: sqlite3.Connection, number: int, reason: str, description: str) -> None:
    db.execute(
        "UPDATE messages SET dead_reason = ?, dead_description = ?, lock_token = NULL"
        " WHERE sequence_number = ?",
        (reason, description, number),
    )


def _now() -> int:
    return time.time_ns() // 1000


def _length(delay: timedelta) -> int:
    return delay // timedelta(microseconds=1)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _micros(moment: datetime) -> int:
    return _length(moment - _EPOCH)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
