"""Webhooks' signing secrets: made, sealed, opened. Called by ``webhooks.py``, ``deliveries.py``, the sender.

A row holds them sealed; or readable, when it is older than migration 0009 or was written by an older web-api
that ran beside a newer one, until ``seal_readable`` finds it. A readable secret is always the newer one.
"""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.tables import webhooks
from opal.sealing import Sealer

COLUMNS: Final = [webhooks.c[name] for name in ("sealed", "secret", "old_secret", "old_secret_until")]
"""Of ``webhooks``, what ``kept`` wants; nothing else selects them."""
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class KeptSecrets:
    """As an endpoint's row has them. ``readable``: the newest and the one before, if they are not sealed."""

    webhook_id: str
    sealed: str | None
    readable: tuple[str, ...]
    old_until: datetime | None

    def __repr__(self) -> str:
        return f"KeptSecrets({self.webhook_id!r})"  # none of them, wherever it is printed

    def open(self, sealer: Sealer, now: datetime) -> tuple[str, ...]:
        """Those that sign at ``now``, the newest first. Raises ``SecretUnreadable``."""
        both = self.readable
        if not both and self.sealed is not None:
            opened = sealer.open(self.webhook_id, self.sealed)
            both = tuple(opened[name] for name in ("secret", "old_secret") if name in opened)
        return both if self.old_until is not None and self.old_until > now else both[:1]


def new_secret() -> str:
    """As the specification writes a symmetric secret: `whsec_` and 24 to 64 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


def sealed_values(sealer: Sealer, webhook_id: str, secret: str, old: str | None = None) -> dict[str, Any]:
    """The row's columns for these secrets, none of them readable."""
    both = {"secret": secret} if old is None else {"secret": secret, "old_secret": old}
    return {"sealed": sealer.seal(webhook_id, both), "secret": "", "old_secret": None}


def kept(webhook_id: str, row: Row[Any]) -> KeptSecrets:
    """The secrets of a row that has ``COLUMNS``."""
    readable = tuple(each for each in (row.secret, row.old_secret) if each) if row.secret else ()
    return KeptSecrets(webhook_id, row.sealed, readable, row.old_secret_until)


async def seal_readable(connection: AsyncConnection, sealer: Sealer) -> int:
    """Seal every secret that lies there readable; returns how many endpoints had one.

    Safe to run at any time and by several services at once: rows are locked, and a sealed one is left alone.
    """
    query = select(webhooks.c.id, *COLUMNS).where(webhooks.c.secret != "")
    # In the order of their ids, as everybody locks them, so that none wait in a circle.
    rows = (await connection.execute(query.order_by(webhooks.c.id).with_for_update(key_share=True))).all()
    for row in rows:
        await connection.execute(
            update(webhooks)
            .where(webhooks.c.id == row.id)
            .values(sealed_values(sealer, row.id, *kept(row.id, row).readable))
        )
    return len(rows)
