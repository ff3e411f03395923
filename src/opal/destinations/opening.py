"""Opens a tenant's place: folders only below the operator's root, stores only at allowed addresses.

One ``Destinations`` per process, shared by web-api's routes and the sender.
"""

import asyncio

from opal.destinations.folder import FolderDestination
from opal.destinations.interface import Content, Destination
from opal.destinations.object_store import azure_destination, s3_destination
from opal.destinations.places import AzurePlace, FolderPlace, S3Place
from opal.errors import DestinationFailed, InvalidDeliveryTarget
from opal.outgoing.client import Outgoing
from opal.outgoing.gate import Gate
from opal.outgoing_settings import DeliverySettings

_TRIAL_S = 15.0


class Destinations:
    """Safe for many tasks at once."""

    def __init__(self, settings: DeliverySettings, outgoing: Outgoing) -> None:
        self._settings = settings
        self._outgoing = outgoing
        self._gate = Gate(outgoing)

    async def check(self, place: FolderPlace | AzurePlace | S3Place) -> None:
        """Raises ``InvalidDeliveryTarget`` or ``AddressRefused`` for a place that would not be opened now."""
        if isinstance(place, FolderPlace):
            if self._settings.folder_root is None:
                raise InvalidDeliveryTarget("This service does not deliver to folders.")
        elif isinstance(place, AzurePlace):
            place.check()
            await self._outgoing.check(place.container_url)
        else:
            place.check()
            await self._outgoing.check(place.url)

    async def open(
        self, tenant_id: str, place: FolderPlace | AzurePlace | S3Place, secret: dict[str, str]
    ) -> Destination:
        """The place, ready. Raises what ``check`` raises, and ``DestinationFailed``; close it afterwards.

        The gate judges every connection again: this first look only gives a better reason.
        """
        await self.check(place)
        if isinstance(place, FolderPlace):
            assert self._settings.folder_root is not None
            return FolderDestination(self._settings.folder_root, tenant_id, place.folder)
        timeout_s = self._settings.timeout_s
        proxy_url = await self._gate.url()
        if isinstance(place, AzurePlace):
            return azure_destination(place, secret, proxy_url, timeout_s)
        return s3_destination(place, secret, proxy_url, timeout_s)

    async def try_out(
        self,
        tenant_id: str,
        place: FolderPlace | AzurePlace | S3Place,
        secret: dict[str, str],
        path: str,
        content: Content,
    ) -> None:
        """Put a small file there within 15 s; somebody waits. Raises what ``open`` and ``put`` raise."""
        try:
            async with asyncio.timeout(_TRIAL_S):
                destination = await self.open(tenant_id, place, secret)
                try:
                    await destination.put(path, content)
                finally:
                    await destination.close()
        except TimeoutError as error:
            raise DestinationFailed(f"No answer within {_TRIAL_S:g} s.") from error

    async def close(self) -> None:
        """End the connections."""
        await self._gate.close()
