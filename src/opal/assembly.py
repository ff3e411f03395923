"""Turns settings into parts; the only module that knows both an interface and its implementations.

Called by each service at start and by the command line.
"""

from dataclasses import dataclass

from opal.blobs.folder import FolderBlobs
from opal.blobs.interface import Blobs
from opal.blobs.signing import UrlSigner
from opal.database.engine import Database
from opal.marketplaces.presets import use_presets_of
from opal.outbox_relay import OutboxRelay
from opal.queues.interface import Queues
from opal.queues.local import LocalQueues
from opal.settings import Settings, runtime_dir
from opal.sweeper import Sweeper


@dataclass(frozen=True, slots=True)
class Parts:
    """What every service stands on."""

    settings: Settings
    database: Database
    queues: Queues
    blobs: Blobs
    relay: OutboxRelay
    sweeper: Sweeper

    async def close(self) -> None:
        """Release connections; the parts cannot be used afterwards."""
        await self.relay.close()
        await self.queues.close()
        await self.blobs.close()
        await self.database.close()


def build_parts(settings: Settings) -> Parts:
    """All parts that ``settings`` ask for. Raises InvalidPreset for a bad file in the folder of presets."""
    use_presets_of(settings.presets_folder)
    database = build_database(settings)
    queues = build_queues(settings)
    return Parts(
        settings=settings,
        database=database,
        queues=queues,
        blobs=build_blobs(settings),
        relay=OutboxRelay(database, queues),
        sweeper=Sweeper(database, queues, settings),
    )


def build_database(settings: Settings) -> Database:
    """SQLite in the data folder, or the database that the settings name."""
    return Database(settings.database_url, settings.database)


def build_queues(settings: Settings) -> Queues:
    """The queue implementation that the settings name."""
    match settings.queue.adapter:
        case "local":
            file = settings.data_dir / "queues.sqlite"
            return LocalQueues(file, runtime_dir(settings.data_dir), settings.queue)


def build_blobs(settings: Settings) -> Blobs:
    """The blob implementation that the settings name."""
    match settings.blob.adapter:
        case "folder":
            signer = UrlSigner.from_file(settings.data_dir / "url-signing.key")
            return FolderBlobs(settings.data_dir / "blobs", signer, settings.blob_public_url)
