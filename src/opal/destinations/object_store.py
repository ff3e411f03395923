"""Delivers to Azure containers and S3 buckets through obstore; implements ``Destination``.

The only module that knows obstore, and Rust's object_store below it. It reads AWS_* and AZURE_* from the
environment, so all that could steal into a tenant's store from there is set here.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import AzureStore, S3Store

from opal import __version__
from opal.destinations.interface import Content
from opal.destinations.places import AzurePlace, S3Place
from opal.errors import DestinationFailed

# Both protocols take it as a header's and as an identifier's name.
_HASH = "opalsha256"
_PART = 8 << 20
# Parts of one file on their way at a time: what a file costs in memory at most.
_PARTS = 2
_STATUS = re.compile(r"status code: (\d{3})")
_NO_RETRY: Any = {"max_retries": 0}  # the sender's schedule is the one that counts


class ObjectStoreDestination:
    """One bucket or container."""

    def __init__(self, store: AzureStore | S3Store) -> None:
        self._store = store

    async def holds(self, path: str, content: Content) -> str | None:
        """The object's ETag if size and the hash that we noted on it are the content's."""
        try:
            with _translated():
                found = await obstore.get_async(self._store, path, options={"head": True})
        except FileNotFoundError:
            return None
        except _AccessDenied:
            # A key that may only write is a good key.
            return None
        same = found.meta["size"] == content.size and found.attributes.get(_HASH) == content.sha256
        return (found.meta["e_tag"] or content.sha256) if same else None

    async def put(self, path: str, content: Content) -> str:
        """One request, or parts of 8 MiB; an object appears when it is complete."""
        attributes: Any = {"Content-Type": content.content_type, _HASH: content.sha256}
        try:
            with _translated():
                if content.size <= _PART:
                    data = b"".join([piece async for piece in content.checked()])
                    put = await obstore.put_async(
                        self._store, path, data, attributes=attributes, use_multipart=False
                    )
                else:
                    put = await obstore.put_async(
                        self._store,
                        path,
                        content.checked(),
                        attributes=attributes,
                        use_multipart=True,
                        chunk_size=_PART,
                        max_concurrency=_PARTS,
                    )
        except FileNotFoundError:
            raise DestinationFailed("It answered 404: there is no such bucket or container.") from None
        return put["e_tag"] or content.sha256

    async def close(self) -> None:
        """Connections close with the object."""


def s3_destination(
    place: S3Place, secret: dict[str, str], proxy_url: str, timeout_s: float
) -> ObjectStoreDestination:
    """The bucket, reached through the gate at ``proxy_url``."""
    config: Any = {
        "aws_endpoint_url_s3": place.url,
        "region": place.region,
        "skip_signature": False,
        "unsigned_payload": False,
        "virtual_hosted_style_request": place.addressing == "virtual-host",
        "s3_express": False,
        "request_payer": False,
    }

    def credentials() -> Any:
        return {
            "access_key_id": place.access_key_id,
            "secret_access_key": secret["secret_access_key"],
            "token": secret.get("session_token"),
            "expires_at": None,
        }

    with _built():
        store = S3Store(
            place.bucket,
            config=config,
            credential_provider=credentials,
            client_options=_client(proxy_url, timeout_s),
            retry_config=_NO_RETRY,
        )
    return ObjectStoreDestination(store)


def azure_destination(
    place: AzurePlace, secret: dict[str, str], proxy_url: str, timeout_s: float
) -> ObjectStoreDestination:
    """The container, reached through the gate at ``proxy_url``."""
    config: Any = {
        "account_name": place.account_name,
        "endpoint": place.endpoint,
        "skip_signature": False,
        "use_emulator": False,
    }
    if "sas" in secret:
        config |= {"sas_key": secret["sas"], "credential_type": "sas_token"}
    else:
        config |= {"account_key": secret["account_key"], "credential_type": "access_key"}
    with _built():
        store = AzureStore(
            place.container,
            config=config,
            client_options=_client(proxy_url, timeout_s),
            retry_config=_NO_RETRY,
        )
    return ObjectStoreDestination(store)


class _AccessDenied(DestinationFailed):
    """It answered 401 or 403: the key is wrong, or may not do this."""


@contextmanager
def _translated() -> Iterator[None]:
    """The library's errors as ours. Their texts quote URLs and bodies, so only what is known is said."""
    try:
        yield
    except (PermissionDeniedError, UnauthenticatedError):
        raise _AccessDenied from None
    except BaseError as error:
        raise DestinationFailed(_reason(str(error))) from None


@contextmanager
def _built() -> Iterator[None]:
    try:
        yield
    except (BaseError, ValueError):
        raise DestinationFailed("Its URL or key is not of a form that can be used.") from None


def _reason(text: str) -> str:
    status = _STATUS.search(text)
    if status is not None:
        return f"It answered {status[1]}."
    if "timed out" in text or "TimedOut" in text or "kind: Timeout" in text:
        return "No answer in time."
    return "The connection failed."


def _client(proxy_url: str, timeout_s: float) -> Any:
    return {
        "proxy_url": proxy_url,
        "timeout": f"{max(1, round(timeout_s))}s",
        # The address rules decide about plain HTTP; here it only must not be in the way.
        "allow_http": True,
        "user_agent": f"Opal/{__version__}",
    }
