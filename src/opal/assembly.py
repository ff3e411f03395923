"""Turns settings into parts; the only module that knows both an interface and its implementations.

Called by each service at start and by the command line.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opal.blobs.folder import FolderBlobs
from opal.blobs.interface import Blobs
from opal.blobs.signing import UrlSigner
from opal.database.engine import Database
from opal.database.migrate import migrate
from opal.errors import InvalidSettings
from opal.marketplaces.presets import use_presets_of
from opal.outbox_relay import OutboxRelay
from opal.queues.interface import Queues
from opal.queues.local import LocalQueues
from opal.sealing import Sealer
from opal.settings import Settings, runtime_dir
from opal.sweeper import Sweeper
from opal.upkeep.tending import Upkeep

if TYPE_CHECKING:
    from opal.azure_identity import AzureIdentity


@dataclass(frozen=True, slots=True)
class Parts:
    """What every service stands on."""

    settings: Settings
    database: Database
    queues: Queues
    blobs: Blobs
    relay: OutboxRelay
    sweeper: Sweeper
    upkeep: Upkeep
    identity: "AzureIdentity | None" = None
    """Who this process is in Azure; None where nothing of Azure's is used."""

    @property
    def checks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What a service needs to answer; each raises when what it is named after is away."""
        return {
            "database": self.database.check,
            "queues": self.queues.check,
            "blobs": self.blobs.check,
        }

    async def close(self) -> None:
        """Release connections; the parts cannot be used afterwards."""
        await self.relay.close()
        await self.queues.close()
        await self.blobs.close()
        await self.database.close()
        if self.identity is not None:
            await self.identity.close()


def build_parts(settings: Settings) -> Parts:
    """All parts that ``settings`` ask for. Raises InvalidPreset for a bad file in the folder of presets."""
    use_presets_of(settings.presets_folder)
    identity = build_identity(settings)
    database = build_database(settings, identity)
    queues = build_queues(settings, identity)
    blobs = build_blobs(settings, identity)
    return Parts(
        settings=settings,
        database=database,
        queues=queues,
        blobs=blobs,
        relay=OutboxRelay(database, queues),
        sweeper=Sweeper(database, queues, settings),
        upkeep=Upkeep(database, blobs, settings),
        identity=identity,
    )


@asynccontextmanager
async def open_database(settings: Settings, *, migrated: bool = True) -> AsyncIterator[Database]:
    """The database alone, brought to the newest schema unless it is to stay as it is."""
    identity = build_identity(settings)
    database = build_database(settings, identity)
    try:
        if migrated:
            await migrate(database)
        yield database
    finally:
        await database.close()
        if identity is not None:
            await identity.close()


def build_database(settings: Settings, identity: "AzureIdentity | None" = None) -> Database:
    """SQLite in the data folder, or the database that the settings name."""
    password = None
    if settings.database.managed_identity and identity is not None:
        from opal.azure_identity import database_password  # noqa: PLC0415 - see `build_identity`

        password = database_password(identity)
    return Database(settings.database_url, settings.database, password)


@asynccontextmanager
async def open_queues(settings: Settings) -> AsyncIterator[Queues]:
    """The queues alone."""
    identity = build_identity(settings)
    queues = build_queues(settings, identity)
    try:
        yield queues
    finally:
        await queues.close()
        if identity is not None:
            await identity.close()


def build_queues(settings: Settings, identity: "AzureIdentity | None" = None) -> Queues:
    """The queue implementation that the settings name."""
    match settings.queue.adapter:
        case "local":
            file = settings.data_dir / "queues.sqlite"
            return LocalQueues(file, runtime_dir(settings.data_dir), settings.queue)
        case "servicebus":
            from opal.queues.servicebus import ServiceBusQueues  # noqa: PLC0415

            return ServiceBusQueues(settings.queue, identity)


def build_identity(settings: Settings) -> "AzureIdentity | None":
    """The one credential of this process, shared by all that speak to Azure; None where none does."""
    blobs = settings.blob.adapter == "azure" and settings.blob.account_key is None
    queues = settings.queue.adapter == "servicebus" and settings.queue.connection_string is None
    if not (blobs or queues or settings.database.managed_identity):
        return None
    # Imported here, as Azure's packages take half a second that no laptop should wait.
    from opal.azure_identity import azure_identity  # noqa: PLC0415

    return azure_identity(settings.azure)


def build_blobs(settings: Settings, identity: "AzureIdentity | None") -> Blobs:
    """The blob implementation that the settings name."""
    match settings.blob.adapter:
        case "folder":
            signer = UrlSigner.from_file(settings.data_dir / "url-signing.key")
            return FolderBlobs(settings.data_dir / "blobs", signer, settings.blob_public_url)
        case "azure":
            from opal.blobs.azure_blob import AzureBlobs  # noqa: PLC0415

            return AzureBlobs(settings.blob, identity)


def build_sealer(settings: Settings) -> Sealer:
    """What seals secrets: the keys of the settings, else the data folder's own. Raises InvalidSettings."""
    if settings.delivery.key is not None:
        return Sealer([key.strip() for key in settings.delivery.key.get_secret_value().split(",")])
    path = settings.data_dir / "delivery-sealing.key"
    if settings.database.url is not None and not path.exists():
        # Made here it might end with this container, and with it every secret in a database that stays.
        raise InvalidSettings("OPAL_DELIVERY_KEY: needed where OPAL_DATABASE_URL is set (docs/delivery.md)")
    return Sealer.from_file(path)
