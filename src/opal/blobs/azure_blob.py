"""Blobs in Azure Blob Storage, behind user-delegation SAS that clients use directly.

Built by ``assembly.py`` when ``OPAL_BLOB_ADAPTER=azure``. One client per process, made at the first call. The
containers are there already: they belong to the deployment, not to a service with rights on data alone.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import (
    BlobProperties,
    BlobSasPermissions,
    ContentSettings,
    StorageErrorCode,
    UserDelegationKey,
    generate_blob_sas,
)
from azure.storage.blob.aio import BlobClient, BlobServiceClient, ExponentialRetry

from opal.azure_identity import AzureIdentity
from opal.blobs.interface import (
    CONTAINERS,
    SIGNED_URL_LIFETIME,
    BlobInfo,
    ListedBlob,
    Permission,
    SignedUrl,
    url_expiry,
)
from opal.blobs.names import attachment, check_name
from opal.errors import BlobExists, BlobNotFound, BlobStoreUnavailable
from opal.platform_settings import BlobSettings
from opal.telemetry.tracing import span

# Azure requires it of a PUT that creates a blob.
CREATE_HEADERS = {"x-ms-blob-type": "BlockBlob"}
_BLOCK = 4 << 20
"""Bytes of a stream that are fetched and held at a time."""
_ONE_REQUEST = 64 << 20
"""Bytes up to which a blob is written or read by one request; more goes in blocks of this size, staged."""
_PAGE = 1000
"""Blobs listed by one request."""
_TRANSFERS = 2
"""Blocks of one blob on their way at a time."""
_SKEW = timedelta(minutes=5)
"""A SAS and its key are valid from this long ago, as clocks differ."""
_KEY_LIFETIME = timedelta(hours=6)
"""How long a user delegation key is asked for; Azure gives at most seven days."""
_KEY_SPARE = timedelta(hours=1)
"""A key with less than this left is renewed: longer than any URL lives."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_MARK = "opal_write"
"""Metadata that tells which write made a blob."""


class AzureBlobs:
    """The containers ``raw``, ``outputs`` and ``exports`` of one storage account; implements ``Blobs``.

    ``credential`` is the process's identity; None where the settings have an account key, as for an emulator.
    ``transport`` goes to the SDK as it is (``connection_verify=`` a certificate of one's own).
    """

    def __init__(self, settings: BlobSettings, credential: AzureIdentity | None, **transport: Any) -> None:
        assert settings.account_url is not None, "the settings are checked for it"
        self._account_url = settings.account_url
        self._timeout_s = settings.timeout_s
        self._account_key = settings.account_key.get_secret_value() if settings.account_key else None
        self._credential = credential
        self._transport = transport
        self._delegation = _Delegation()

    @cached_property
    def _service(self) -> BlobServiceClient:
        """The one client; made within the event loop that it will live in."""
        retry = ExponentialRetry(initial_backoff=1, increment_base=2, retry_total=3, random_jitter_range=1)
        return BlobServiceClient(
            self._account_url,
            credential=self._account_key or self._credential,
            retry_policy=retry,
            connection_timeout=5,
            read_timeout=self._timeout_s,
            max_single_put_size=_ONE_REQUEST,
            max_block_size=_ONE_REQUEST,
            max_single_get_size=_ONE_REQUEST,
            max_chunk_get_size=_ONE_REQUEST,
            **self._transport,
        )

    async def signed_url(
        self,
        container: str,
        path: str,
        permission: Permission,
        lifetime: timedelta = SIGNED_URL_LIFETIME,
        *,
        download_name: str | None = None,
    ) -> SignedUrl:
        """A SAS that can create or read exactly this blob until it expires; Azure itself checks it."""
        blob = self._blob(container, path)
        now = datetime.now(UTC).replace(microsecond=0)
        expires_at = url_expiry(now, lifetime)
        creates = permission is Permission.CREATE
        delegation = None if self._account_key else await self._delegation_key()
        sas = generate_blob_sas(
            account_name=_account_name(self._account_url),
            container_name=container,
            blob_name=path,
            account_key=self._account_key,
            user_delegation_key=delegation,
            permission=BlobSasPermissions(create=creates, read=not creates),
            start=now - _SKEW,
            expiry=expires_at,
            protocol="https" if blob.url.startswith("https:") else None,
            content_disposition=None if download_name is None else attachment(download_name),
        )
        return SignedUrl(
            url=f"{blob.url}?{sas}",
            method="PUT" if creates else "GET",
            headers=dict(CREATE_HEADERS) if creates else {},
            expires_at=expires_at,
        )

    async def info(self, container: str, path: str) -> BlobInfo:
        """Size, ETag and type of a blob."""
        async with self._deadline():
            return _info(await self._blob(container, path).get_blob_properties())

    async def read(
        self, container: str, path: str, *, start: int = 0, length: int | None = None, etag: str | None = None
    ) -> bytes:
        """The blob's bytes or a part; ``BlobNotFound`` also when ``etag`` names another version."""
        whole = start == 0 and length is None
        async with self._deadline("read blob", container):
            try:
                download = await self._blob(container, path).download_blob(
                    None if whole else start, length, max_concurrency=_TRANSFERS, **_only(etag)
                )
                data: bytes = await download.readall()
                return data
            except HttpResponseError as error:
                if error.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    return b""
                raise

    async def stream(self, container: str, path: str, chunk_size: int = 1 << 20) -> AsyncIterator[bytes]:
        """The blob's bytes in pieces, all of one version; ``BlobNotFound`` once it is replaced meanwhile.

        There is no time limit on the whole, as a slow reader is no fault of the store; each block has one.
        """
        found = await self.info(container, path)
        for start in range(0, found.size, _BLOCK):
            block = await self.read(container, path, start=start, length=_BLOCK, etag=found.etag)
            for piece in range(0, len(block), chunk_size):
                yield block[piece : piece + chunk_size]

    async def write(
        self, container: str, path: str, data: bytes, *, content_type: str, overwrite: bool = False
    ) -> BlobInfo:
        """Store ``data`` whole or not at all; ``BlobExists`` unless ``overwrite``.

        A large one is staged in blocks, which become the blob in one step. A try whose answer got lost is
        followed by one that finds the blob there: the mark in its metadata tells that it is ours.
        """
        blob = self._blob(container, path)
        mark = secrets.token_hex(16)
        async with self._deadline("write blob", container):
            try:
                stored = await blob.upload_blob(
                    data,
                    overwrite=overwrite,
                    content_settings=ContentSettings(content_type=content_type),
                    metadata={_MARK: mark},
                    max_concurrency=_TRANSFERS,
                )
            except (ResourceExistsError, ResourceModifiedError) as error:
                found = await blob.get_blob_properties()
                if found.metadata.get(_MARK) != mark:
                    raise BlobExists from error
                return _info(found)
        return BlobInfo(len(data), stored["etag"].strip('"'), content_type, stored["last_modified"])

    async def delete(self, container: str, path: str) -> None:
        """Remove the blob if it is there."""
        async with self._deadline():
            with suppress(ResourceNotFoundError):
                await self._blob(container, path).delete_blob()

    async def walk(self, container: str, prefix: str = "") -> AsyncIterator[ListedBlob]:
        """The container's blobs in the order of their names, a page at a time."""
        if prefix:
            check_name(container, prefix.rstrip("/"))
        client = self._service.get_container_client(container)
        pages = client.list_blobs(name_starts_with=prefix or None, results_per_page=_PAGE).by_page()
        while True:
            async with self._deadline():
                try:
                    page = [blob async for blob in await anext(pages)]
                except StopAsyncIteration:
                    return
            for blob in page:
                yield ListedBlob(blob.name, blob.size, blob.last_modified)

    async def check(self) -> None:
        """Return when all containers are there and may be read, else raise ``BlobStoreUnavailable``."""
        containers = [self._service.get_container_client(name) for name in CONTAINERS]
        async with self._deadline():
            await asyncio.gather(*(container.get_container_properties() for container in containers))

    async def close(self) -> None:
        """Close the client's connections; the credential belongs to who gave it."""
        if "_service" in vars(self):
            await self._service.close()

    def _blob(self, container: str, path: str) -> BlobClient:
        check_name(container, path)
        return self._service.get_blob_client(container, path)

    async def _delegation_key(self) -> UserDelegationKey:
        """Azure's key for signing in this identity's name: kept for hours, asked for by one at a time."""
        held = self._delegation
        async with held.lock:
            now = datetime.now(UTC)
            if held.key is None or held.expires_at - now < _KEY_SPARE:
                expires_at = now + _KEY_LIFETIME
                async with self._deadline():
                    held.key = await self._service.get_user_delegation_key(now - _SKEW, expires_at)
                held.expires_at = expires_at
            return held.key

    @asynccontextmanager
    async def _deadline(self, operation: str | None = None, container: str = "") -> AsyncIterator[None]:
        """One operation with all its tries, a named one as a span: the SDK's own limits are for each try."""
        spanned = (
            nullcontext() if operation is None else span(operation, "client", {"opal.container": container})
        )
        with spanned, _translated():
            async with asyncio.timeout(self._timeout_s):
                yield


@dataclass(slots=True)
class _Delegation:
    """The key that URLs are signed with, guarded by ``lock``."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    key: UserDelegationKey | None = None
    expires_at: datetime = _LONG_AGO


def _account_name(account_url: str) -> str:
    """The first part of the host; an emulator's URL has an address there, and the name as its path."""
    parts = urlsplit(account_url)
    return parts.path.strip("/") or str(parts.hostname).partition(".")[0]


def _info(found: BlobProperties) -> BlobInfo:
    content_type = found.content_settings.content_type or "application/octet-stream"
    return BlobInfo(found.size, found.etag.strip('"'), content_type, found.last_modified)


def _only(etag: str | None) -> dict[str, Any]:
    """The condition that a request is for this version alone."""
    if etag is None:
        return {}
    return {"etag": f'"{etag}"', "match_condition": MatchConditions.IfNotModified}


@contextmanager
def _translated() -> Iterator[None]:
    """The SDK's errors as ours. Its messages are left out: they may quote the request's URL, SAS and all."""
    try:
        yield
    except ResourceNotFoundError as error:
        if _code(error) != StorageErrorCode.CONTAINER_NOT_FOUND:
            raise BlobNotFound from error
        raise BlobStoreUnavailable(f"The account lacks a container of {', '.join(CONTAINERS)}.") from error
    except ResourceModifiedError as error:
        raise BlobNotFound("The blob is no longer the version asked for.") from error
    except TimeoutError as error:
        raise BlobStoreUnavailable("The storage account did not answer in time.") from error
    except HttpResponseError as error:
        if error.status_code is None:  # it was never asked: there was no token, say
            raise BlobStoreUnavailable(
                f"The storage account was not asked ({type(error).__name__})."
            ) from error
        said = f"{error.status_code} {_code(error)}".rstrip()
        raise BlobStoreUnavailable(f"The storage account answered {said}.") from error
    except AzureError as error:
        raise BlobStoreUnavailable(
            f"The storage account cannot be reached ({type(error).__name__})."
        ) from error


def _code(error: HttpResponseError) -> str:
    """Storage's own name of what is wrong, where its answer had one."""
    code = getattr(error, "error_code", None) or ""
    return str(getattr(code, "value", code))
