"""Short work on the public API for commands: as the tenant of a key, from wherever the key's owner is.

`opal keys` and its like work on the database, as no key exists before them. Webhooks and delivery targets are
a tenant's own; web-api judges their addresses, and it alone has the key that seals their secrets.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar, TypeVar

from opal.cli.api_client import ApiClient
from opal.cli.data_folder import read_development_key
from opal.errors import InvalidInput
from opal.settings import Settings, load_settings

T = TypeVar("T")


class NoApiKey(InvalidInput):
    """There is no usable API key.

    Put one into `OPAL_API_KEY`; `opal keys create` makes one.
    """

    code: ClassVar[str] = "no_api_key"
    title: ClassVar[str] = "No API key"


def with_api(work: Callable[[ApiClient], Awaitable[T]]) -> T:
    """Run ``work`` on the API that the settings name and return its result. Raises ``NoApiKey``."""
    settings = load_settings()

    async def run() -> T:
        async with ApiClient(settings.api_url, _key(settings)) as api:
            return await work(api)

    return asyncio.run(run())


def _key(settings: Settings) -> str:
    given = settings.api.key
    key = read_development_key(settings.data_dir) if given is None else given.get_secret_value().strip()
    if not key or not (key.isascii() and key.isprintable()):
        raise NoApiKey
    return key
