"""Fetching and storing by signed URL, against a real HTTP server that misbehaves on request."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from opal.errors import BlobNotFound, BlobStoreUnavailable, InvalidInput, OpalError, PhotoTooLarge
from opal.scoring.pictures import PictureClient

SECRET = "sig=very-secret"


@contextmanager
def store(*statuses: int, body: bytes = b"photo") -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
    """A blob store that answers with these statuses in turn; yields its URL and what it received."""
    waiting = list(statuses)
    received: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_PUT(self) -> None:
            self._answer()

        def _answer(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            received.append((self.command, self.headers.get("x-ms-blob-type", ""), sent))
            status = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            self.send_response(status)
            if status in {301, 302, 307}:
                self.send_header("Location", f"{url}/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{url}/photo?{SECRET}", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def client(max_bytes: int = 1000) -> PictureClient:
    return PictureClient(max_bytes, first_wait_s=0.01)


def test_a_store_that_stumbles_is_asked_again() -> None:
    with store(503, 500, 200) as (url, received):
        assert client().fetch(url) == b"photo"
    assert len(received) == 3
    with store(503, 201) as (url, received):
        client().store(url, b"png")
    assert [each[2] for each in received] == [b"png", b"png"]
    assert received[0][1] == "BlockBlob"


def test_a_blob_that_is_there_already_is_stored() -> None:
    with store(409) as (url, received):
        client().store(url, b"png")
    assert len(received) == 1


@pytest.mark.parametrize(
    ("status", "error", "tries"),
    [(404, BlobNotFound, 1), (403, BlobStoreUnavailable, 3), (503, BlobStoreUnavailable, 3)],
)
def test_what_cannot_be_fetched_is_told_without_the_signature(
    status: int, error: type[OpalError], tries: int
) -> None:
    with store(status) as (url, received), pytest.raises(error) as caught:
        client().fetch(url)
    assert len(received) == tries
    assert SECRET not in str(caught.value)


def test_a_backdrop_is_called_a_backdrop() -> None:
    field = "backdrop_image_sas"
    with store(404) as (url, _), pytest.raises(BlobNotFound, match="There is no backdrop at"):
        client().fetch(url, field)
    with store(503) as (url, _), pytest.raises(BlobStoreUnavailable, match="The backdrop's URL answered"):
        client().fetch(url, field)
    with store(200, body=b"x" * 1001) as (url, _), pytest.raises(PhotoTooLarge, match="The backdrop has"):
        client(1000).fetch(url, field)
    with pytest.raises(BlobStoreUnavailable, match="The backdrop cannot be fetched"):
        client().fetch("http://127.0.0.1:9/picture", field)


def test_a_redirect_is_not_followed() -> None:
    with store(302, body=b"") as (url, received), pytest.raises(BlobStoreUnavailable):
        client().fetch(url)
    assert {each[0] for each in received} == {"GET"}
    assert len(received) == 3


def test_a_photo_over_the_limit_is_not_read_to_its_end() -> None:
    with store(200, body=b"x" * 1001) as (url, _), pytest.raises(PhotoTooLarge):
        client(1000).fetch(url)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "nonsense", "http://", ""])
def test_only_web_addresses_are_fetched(url: str) -> None:
    with pytest.raises(InvalidInput):
        client().fetch(url)
    with pytest.raises(InvalidInput):
        client().store(url, b"png")


def test_nobody_at_the_address_is_worth_another_try() -> None:
    with pytest.raises(BlobStoreUnavailable, match="ConnectError"):
        client().fetch("http://127.0.0.1:9/photo")
