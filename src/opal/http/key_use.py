"""Counts the requests of each key and each tenant, and notes when a key was last used.

Called for every request with a key. What is left is told by the headers of the IETF's draft
(draft-ietf-httpapi-ratelimit-headers-10).
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from opal.database import keys
from opal.database.engine import Database, utc_now
from opal.database.keys import ApiKey
from opal.database.rate_limit import WINDOW, seconds_until, take_requests
from opal.errors import DependencyError
from opal.http.errors import TooManyRequests
from opal.settings import WebSettings

_TENANT: Final = "tenant"
_LUMPS: Final = 50
"""A process takes a fiftieth of a minute's requests at a time, so that few requests write to the database."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Window:
    """What this process knows of one count: its own lump, and what the database had left beside it."""

    left: int
    elsewhere: int
    ends_at: datetime

    @property
    def remaining(self) -> int:
        """Requests until the end of the minute, as far as known here."""
        return self.left + self.elsewhere

    @property
    def is_due(self) -> bool:
        """Whether the database must be asked: the minute is over, or the lump is and there are others."""
        return utc_now() >= self.ends_at or (self.left == 0 and self.elsewhere > 0)


class KeyUse:
    """One per process. Without a ``database`` that may be written, the process counts for itself alone."""

    def __init__(self, settings: WebSettings, database: Database | None) -> None:
        self._per_key = settings.requests_per_key
        self._per_tenant = settings.requests_per_tenant
        self._policy = f'"key";q={self._per_key};w=60, "tenant";q={self._per_tenant};w=60'
        self._database = database
        self._windows: dict[tuple[str, str], _Window] = {}
        self._asking = asyncio.Lock()

    async def count(self, key: ApiKey) -> dict[str, str]:
        """Count one request of ``key``; returns the headers that say what is left.

        Raises ``TooManyRequests``, which has them too.
        """
        limits = {(key.tenant_id, key.id): self._per_key, (key.tenant_id, _TENANT): self._per_tenant}
        while any(self._is_due(count) for count in limits):
            async with self._asking:
                await self._ask({count: limits[count] for count in limits if self._is_due(count)}, key)
        # Nothing is awaited from here on, so that no other request comes between looking and taking.
        of_key, of_tenant = (self._windows[count] for count in limits)
        refused = [window for window in (of_key, of_tenant) if window.left == 0]
        if not refused:
            of_key.left -= 1
            of_tenant.left -= 1
        headers = {
            "RateLimit-Policy": self._policy,
            "RateLimit": f'"key";r={of_key.remaining};t={seconds_until(of_key.ends_at)}, '
            f'"tenant";r={of_tenant.remaining};t={seconds_until(of_tenant.ends_at)}',
        }
        if refused:
            whose = "This key" if of_key in refused else "This tenant"
            most = self._per_key if of_key in refused else self._per_tenant
            wait_s = max(seconds_until(window.ends_at) for window in refused)
            raise TooManyRequests(f"{whose} may send {most:,} requests a minute.", wait_s, headers)
        return headers

    def _is_due(self, count: tuple[str, str]) -> bool:
        return count not in self._windows or self._windows[count].is_due

    async def _ask(self, limits: dict[tuple[str, str], int], key: ApiKey) -> None:
        """Begin these windows anew, or take further lumps of them; the key's before the tenant's."""
        if self._database is not None and limits:
            try:
                self._windows |= await self._lumps(self._database.for_tenant(key.tenant_id), limits, key)
            except DependencyError as error:
                # Reading goes on where nothing can be written; the count must not be what stops it.
                _log.warning("requests are not counted", action="key_use.alone", code=error.code)
            else:
                return
        ends_at = utc_now() + WINDOW
        self._windows |= {count: _Window(limit, 0, ends_at) for count, limit in limits.items()}

    async def _lumps(
        self, database: Database, limits: dict[tuple[str, str], int], key: ApiKey
    ) -> dict[tuple[str, str], _Window]:
        found = {}
        async with database.transaction() as connection:
            for (tenant_id, subject), limit in limits.items():
                lump = max(1, limit // _LUMPS)
                allowance = await take_requests(connection, tenant_id, subject, lump, limit)
                if not allowance.granted and allowance.remaining:
                    lump = allowance.remaining
                    allowance = await take_requests(connection, tenant_id, subject, lump, limit)
                left = lump if allowance.granted else 0
                found[tenant_id, subject] = _Window(left, allowance.remaining, allowance.resets_at)
            await keys.note_use(connection, key)
        return found
