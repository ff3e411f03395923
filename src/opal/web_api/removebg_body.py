"""Reads a request's body in any of the contract's three forms: multipart, form, JSON.

Called by ``removebg.py``. What arrives ends in files without a name, not in memory, until it is its turn: a
body that hardly moves holds nothing that others wait for.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message

from opal.web_api.removebg_errors import Refused
from opal.web_api.removebg_line import WaitingLine

_MOST_FIELDS: Final = 100
_MOST_FILES: Final = 4
_ROOM_FOR_FIELDS: Final = 1_000_000
_SPOOLED: Final = 1_000_000
_PIECE: Final = 1 << 20
_BODY_S: Final = 120.0
_TOO_LARGE: Final = "The request is larger than its pictures may be."
_PICTURES: Final = ("image_file_b64",)


@dataclass(slots=True)
class Body:
    """Text fields and pictures by name. ``close`` throws the pictures away."""

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, IO[bytes]] = field(default_factory=dict)

    async def keep(self, name: str, data: bytes) -> IO[bytes]:
        """A picture that was fetched, as a file of the body's."""
        file = SpooledTemporaryFile(max_size=_SPOOLED)  # noqa: SIM115 - the body closes it
        self.files[name] = file
        await asyncio.to_thread(file.write, data)
        return file

    def close(self) -> None:
        """Give the files' room back."""
        for file in self.files.values():
            file.close()


@contextmanager
def _readable(within_s: float) -> Iterator[None]:
    """Turn what parsers say of a broken body into a refusal."""
    try:
        yield
    except TimeoutError as error:
        raise Refused("request_timeout", f"The body did not arrive within {within_s:g} s.") from error
    except (HTTPException, MultiPartException) as error:
        said = error.detail if isinstance(error, HTTPException) else error.message
        if said == _TOO_LARGE:
            raise Refused("file_too_large", _TOO_LARGE) from error
        raise Refused("invalid_request", f"The form cannot be read: {said}") from error
    except (ValueError, RecursionError) as error:
        raise Refused("invalid_request", "The body cannot be read as what its Content-Type says.") from error


async def read_body(
    request: Request, line: WaitingLine, max_bytes: int, *, within_s: float = _BODY_S
) -> Body:
    """The request's fields and pictures; no picture has more than ``max_bytes``.

    Raises ``Refused``; a body of no known form has no fields.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # The photo, perhaps in base64, and a background.
    counted = _Counted(request, 4 * -(-max_bytes // 3) + max_bytes + _ROOM_FOR_FIELDS)
    with _readable(within_s):
        if kind == "multipart/form-data":
            async with asyncio.timeout(within_s):
                return await _from_form(counted, max_bytes)
        if kind != "application/x-www-form-urlencoded" and not _is_json(kind):
            return Body()
        with SpooledTemporaryFile(max_size=_SPOOLED) as arrived:
            async with asyncio.timeout(within_s):
                async for piece in counted.stream():
                    await _put(arrived, piece)
            async with line.unpacking:
                if _is_json(kind):
                    return await asyncio.to_thread(_from_json, arrived, max_bytes)
                return await _from_form(_Replayed(counted, arrived), max_bytes)


class _Counted(Request):
    """The same request, whose body may only have so many bytes."""

    def __init__(self, request: Request, most: int) -> None:
        received = 0

        async def receive() -> Message:
            nonlocal received
            message = await request.receive()
            received += len(message.get("body", b""))
            if received > most:
                # The one exception at which the form's parser closes the files that it has begun.
                raise MultiPartException(_TOO_LARGE)
            return message

        super().__init__(request.scope, receive)


class _Replayed(Request):
    """The same request, whose body has arrived and lies in a file."""

    def __init__(self, request: Request, arrived: IO[bytes]) -> None:
        arrived.seek(0)

        async def receive() -> Message:
            piece = await asyncio.to_thread(arrived.read, _PIECE)
            return {"type": "http.request", "body": piece, "more_body": bool(piece)}

        super().__init__(request.scope, receive)


async def _put(file: SpooledTemporaryFile[bytes], piece: bytes) -> None:
    """Append to ``file``; off the loop once it is one on a disk."""
    if file.tell() + len(piece) < _SPOOLED:
        file.write(piece)
    else:
        await asyncio.to_thread(file.write, piece)


@contextmanager
def _begun() -> Iterator[Body]:
    """A body to be filled, whose files are closed if it is refused half-way."""
    body = Body()
    try:
        yield body
    except BaseException:
        body.close()
        raise


def _is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


async def _from_form(request: Request, max_bytes: int) -> Body:
    largest_field = 4 * -(-max_bytes // 3) + 1024
    form = await request.form(max_files=_MOST_FILES, max_fields=_MOST_FIELDS, max_part_size=largest_field)
    try:
        return await asyncio.to_thread(_sorted_out, form, max_bytes)
    except Refused:
        await form.close()
        raise


def _sorted_out(form: FormData, max_bytes: int) -> Body:
    with _begun() as body:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                # A form's file field that nobody filled in has neither name nor bytes.
                if value.filename or value.size:
                    _add_file(body, name, value.file, max_bytes)
                else:
                    value.file.close()
            elif value:
                _add_text(body, name, value, max_bytes)
    return body


def _from_json(arrived: IO[bytes], max_bytes: int) -> Body:
    arrived.seek(0)
    data = arrived.read()
    document = json.loads(data) if data.strip() else {}
    if not isinstance(document, dict):
        raise Refused("invalid_request", "The body must be one JSON object.")
    with _begun() as body:
        for name, value in document.items():
            text = _text(value)
            if text is None:
                raise Refused("invalid_request", f"{name[:40]} must be a text, a number or a truth value.")
            if text:
                _add_text(body, name, text, max_bytes)
    return body


def _text(value: Any) -> str | None:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
    return None


def _add_text(body: Body, name: str, text: str, max_bytes: int) -> None:
    if name in _PICTURES:
        data = _decoded(text)
        file = SpooledTemporaryFile(max_size=_SPOOLED)  # noqa: SIM115 - the body closes it
        file.write(data)
        try:
            _add_file(body, name, file, max_bytes)
        except Refused:
            file.close()
            raise
    else:
        body.fields[name] = text


def _add_file(body: Body, name: str, file: Any, max_bytes: int) -> None:
    size = file.seek(0, 2) or file.tell()
    if size > max_bytes:
        raise Refused("file_too_large", f"{name} has {size:,} bytes; at most {max_bytes:,} are allowed.")
    if name in body.files:
        raise Refused("multiple_sources", f"{name} was sent twice.")
    body.files[name] = file


def _decoded(text: str) -> bytes:
    """Base64 with or without line breaks, padding, and the beginning of a data URL."""
    bare = text.partition(",")[2] if text.startswith("data:") else text
    try:
        letters = b"".join(bare.encode("ascii").split())
        return base64.b64decode(letters + b"=" * (-len(letters) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise Refused("failed_to_read_image", "image_file_b64 is not base64.") from error
