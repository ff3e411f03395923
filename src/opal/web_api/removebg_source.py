"""The pictures of a request as bytes: from its file, its base64 text, or an address.

Called by ``removebg_work.py``.
"""

import asyncio
from dataclasses import dataclass
from typing import IO, Final

import httpx

from opal.errors import AddressRefused, OutgoingFailed
from opal.outgoing.client import Outgoing
from opal.settings import RemoveBgSettings
from opal.web_api.removebg_body import Body
from opal.web_api.removebg_errors import Refused

_MOST_CALLS: Final = 4
"""The address itself, and up to three to which it leads on."""
_HEADERS: Final = {"Accept": "image/*", "User-Agent": "Opal"}


@dataclass(frozen=True, slots=True)
class Source:
    """Where one picture is: a file, or else an address; with the codes that its faults have.

    ``name`` is what the address is called in the request.
    """

    name: str

    file: IO[bytes] | None
    url: str
    refused: str
    failed: str

    async def read(self) -> bytes:
        """The picture's bytes, once there is a file."""
        assert self.file is not None
        return await asyncio.to_thread(_whole, self.file)

    async def download(self, outgoing: Outgoing, settings: RemoveBgSettings) -> bytes:
        """What the address leads to. Raises ``Refused``."""
        try:
            async with asyncio.timeout(settings.download_timeout_s):
                return await self._download(outgoing, settings)
        except AddressRefused as error:
            raise Refused(self.refused, error.message) from error
        except OutgoingFailed as error:
            raise Refused(self.failed, error.message) from error
        except TimeoutError as error:
            raise Refused(self.failed, f"No picture within {settings.download_timeout_s:g} s.") from error

    async def _download(self, outgoing: Outgoing, settings: RemoveBgSettings) -> bytes:
        url = self.url
        for _ in range(_MOST_CALLS):
            # Every address on the way is judged anew, as if it had been sent.
            answer = await outgoing.send(
                "GET",
                url,
                headers=_HEADERS,
                timeout_s=settings.download_timeout_s,
                max_body_bytes=settings.max_bytes,
            )
            location = answer.headers.get("Location")
            if answer.status in {301, 302, 303, 307, 308} and location:
                url = _joined(url, location)
                continue
            if answer.status != httpx.codes.OK:
                raise Refused(self.failed, f"The address answered HTTP {answer.status}.")
            if not answer.whole:
                raise Refused("file_too_large", f"It has more than {settings.max_bytes:,} bytes.")
            return answer.body
        raise Refused(self.failed, "The address leads on too often.")


def image_source(body: Body) -> Source:
    """The picture to cut out. Raises ``Refused`` unless there is exactly one."""
    if body.fields.get("image_file"):
        raise Refused("invalid_file_type", "image_file must be sent as a file (multipart/form-data).")
    files = [body.files[name] for name in ("image_file", "image_file_b64") if name in body.files]
    url = body.fields.get("image_url", "").strip()
    if len(files) + bool(url) == 0:
        raise Refused("missing_source", "Send one of image_file, image_file_b64 and image_url.")
    if len(files) + bool(url) > 1:
        raise Refused("multiple_sources", "Send only one of image_file, image_file_b64 and image_url.")
    return Source("image_url", files[0] if files else None, url, "invalid_image_url", "failed_image_download")


def background_source(body: Body, *, coloured: bool) -> Source | None:
    """The picture to lay it on, if any. Raises ``Refused`` for more than one background."""
    if body.fields.get("bg_image_file"):
        raise Refused("invalid_file_type", "bg_image_file must be sent as a file (multipart/form-data).")
    file = body.files.get("bg_image_file")
    url = body.fields.get("bg_image_url", "").strip()
    if (file is not None) + bool(url) + coloured > 1:
        raise Refused("multiple_bg_sources", "Send only one of bg_color, bg_image_url and bg_image_file.")
    if file is None and not url:
        return None
    return Source("bg_image_url", file, url, "invalid_bg_image_url", "failed_bg_download")


def _whole(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _joined(url: str, location: str) -> str:
    try:
        return str(httpx.URL(url).join(location))
    except httpx.InvalidURL as error:
        raise AddressRefused("It leads on to what is not a URL.") from error
