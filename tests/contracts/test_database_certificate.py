"""What a server that poses as PostgreSQL is told: with ssl=verify-full nothing."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.azurite.certificate import server_certificate

from opal.database.engine import Database, DatabaseUnavailable
from opal.platform_settings import DatabaseSettings

_ENCRYPTS = b"S"


class Impostor:
    """Encrypts as PostgreSQL does, with a certificate that nobody trusts, and keeps what it is then told."""

    def __init__(self, certificate: ssl.SSLContext) -> None:
        self._certificate = certificate
        self.port = 0
        self.told = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # the request to encrypt
        writer.write(_ENCRYPTS)
        with suppress(OSError):
            await writer.start_tls(self._certificate)
            self.told += await reader.read(1000)
        writer.close()


@pytest.fixture
async def impostor(tmp_path: Path) -> AsyncIterator[Impostor]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*server_certificate(tmp_path))
    impostor = Impostor(context)
    server = await asyncio.start_server(impostor.serve, "127.0.0.1", 0)
    impostor.port = server.sockets[0].getsockname()[1]
    async with server:
        yield impostor


@pytest.mark.parametrize(("mode", "trusting"), [("verify-full", False), ("require", True)])
async def test_a_stranger_learns_nothing(impostor: Impostor, mode: str, trusting: bool) -> None:
    url = f"postgresql+asyncpg://opal-web@127.0.0.1:{impostor.port}/opal?ssl={mode}"
    database = Database(url, DatabaseSettings(connect_timeout_s=20))
    with pytest.raises(DatabaseUnavailable) as told:
        await database.check()
    await database.close()
    assert ("certificate verify failed" in told.value.message) is not trusting
    assert (b"opal-web" in impostor.told) is trusting
