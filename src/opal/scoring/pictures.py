"""Fetching photo and backdrop from their signed URLs and storing pictures at theirs. Called by ``score.py``.

The URLs carry signatures: neither they nor what they answer may appear in a log or an error message.
"""

from collections.abc import Iterator

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from opal.errors import BlobNotFound, BlobStoreUnavailable, InvalidInput, PhotoTooLarge
from opal.outgoing.authorities import authorities

_TRIES = 3
_NAMES = {"input_image_sas": "photo", "backdrop_image_sas": "backdrop"}
_PUT_HEADERS = {"x-ms-blob-type": "BlockBlob", "Content-Type": "image/png"}


class PictureClient:
    """One connection pool for all requests; safe for several threads."""

    def __init__(self, max_bytes: int, *, timeout_s: float = 30.0, first_wait_s: float = 0.5) -> None:
        self._max_bytes = max_bytes
        # A redirect could lead inside the network, and a proxy would see the signatures.
        self._http = httpx.Client(
            timeout=timeout_s, follow_redirects=False, trust_env=False, verify=authorities()
        )
        self._wait = wait_exponential(multiplier=first_wait_s, max=5)

    def fetch(self, url: str, field: str = "input_image_sas") -> bytes:
        """The bytes of the picture whose URL is the request's ``field``.

        Raises PhotoTooLarge, BlobNotFound, InvalidInput for what is no web address, and BlobStoreUnavailable
        (also for a URL that has expired: a new request brings a new one).
        """
        for attempt in self._attempts():
            with attempt:
                return self._fetch(url, field)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def store(self, url: str, data: bytes) -> None:
        """PUT one PNG where the URL says; storing it a second time is no error.

        Raises InvalidInput and BlobStoreUnavailable.
        """
        for attempt in self._attempts():
            with attempt:
                self._store(url, data)

    def _attempts(self) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(BlobStoreUnavailable),
            stop=stop_after_attempt(_TRIES),
            wait=self._wait,
            reraise=True,
        )

    def _fetch(self, url: str, field: str) -> bytes:
        name = _NAMES[field]
        try:
            with self._http.stream("GET", url) as answer:
                if answer.status_code == httpx.codes.NOT_FOUND:
                    raise BlobNotFound(f"There is no {name} at the signed URL.")
                if answer.status_code != httpx.codes.OK:
                    raise BlobStoreUnavailable(f"The {name}'s URL answered HTTP {answer.status_code}.")
                return b"".join(self._bounded(answer, name))
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise InvalidInput(f"{field}: not an http or https URL.") from error
        except httpx.HTTPError as error:
            raise BlobStoreUnavailable(f"The {name} cannot be fetched ({type(error).__name__}).") from error

    def _bounded(self, answer: httpx.Response, name: str) -> Iterator[bytes]:
        total = 0
        for piece in answer.iter_bytes():
            total += len(piece)
            if total > self._max_bytes:
                raise PhotoTooLarge(f"The {name} has more than {self._max_bytes:,} bytes.")
            yield piece

    def _store(self, url: str, data: bytes) -> None:
        try:
            answer = self._http.put(url, content=data, headers=_PUT_HEADERS)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise InvalidInput("output_sas: not an http or https URL.") from error
        except httpx.HTTPError as error:
            raise BlobStoreUnavailable(f"A picture cannot be stored ({type(error).__name__}).") from error
        # The URL can write once: 409 says that a try before this one did, and its answer was lost.
        if answer.status_code != httpx.codes.CONFLICT and not answer.is_success:
            raise BlobStoreUnavailable(f"A picture's URL answered HTTP {answer.status_code}.")
