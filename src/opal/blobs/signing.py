"""Signed URLs of the folder store: each lets its bearer do one thing to one blob for a short time.

``folder.py`` makes them, web-api checks them before it touches a blob. The parameters bear the names
that an Azure SAS uses (``sp``, ``se``, ``rscd``, ``sig``), so that logs redact both alike.
"""

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

from opal.blobs.interface import Permission
from opal.errors import InvalidSettings, SignatureInvalid

KEY_BYTES = 32
_VERSION = "opal-blob-1"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a verified URL allows, beyond the blob and permission it was checked for."""

    expires_at: datetime
    content_disposition: str | None


class UrlSigner:
    """Signs and checks query strings with HMAC-SHA256."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise InvalidSettings(f"a signing key has {KEY_BYTES} bytes, not {len(key)}")
        self._key = key

    @classmethod
    def from_file(cls, path: Path) -> "UrlSigner":
        """The signer of one data folder; its key is made on first use, readable by this user only.

        Several processes may start at once: all get the same key. Raises ``InvalidSettings`` when the
        file is no key.
        """
        if not path.exists():
            _create_key(path)
        try:
            return cls(path.read_bytes())
        except InvalidSettings as error:
            raise InvalidSettings(f"{path}: {error.message}") from error

    def sign(
        self,
        container: str,
        path: str,
        permission: Permission,
        expires_at: datetime,
        content_disposition: str | None = None,
    ) -> str:
        """The query string that grants ``permission`` on this blob until ``expires_at`` (whole seconds)."""
        expiry = str(int(expires_at.timestamp()))
        query = {"sp": permission.value, "se": expiry}
        if content_disposition is not None:
            query["rscd"] = content_disposition
        query["sig"] = self._signature(container, path, permission.value, expiry, content_disposition)
        return urlencode(query, quote_via=quote)

    def verify(
        self, container: str, path: str, query: Mapping[str, str], permission: Permission, now: datetime
    ) -> Grant:
        """Return what ``query`` grants, or raise ``SignatureInvalid``.

        Refused: another blob, another permission, a changed or missing parameter, an ended time.
        """
        expiry = query.get("se", "")
        disposition = query.get("rscd")
        expected = self._signature(container, path, permission.value, expiry, disposition)
        given = query.get("sig", "").encode("utf-8", "surrogatepass")
        genuine = hmac.compare_digest(expected.encode(), given)
        if not genuine or query.get("sp") != permission.value:
            raise SignatureInvalid
        expires_at = datetime.fromtimestamp(int(expiry), UTC)
        if now >= expires_at:
            raise SignatureInvalid("The signed URL has expired.")
        return Grant(expires_at, disposition)

    def _signature(
        self, container: str, path: str, permission: str, expiry: str, disposition: str | None
    ) -> str:
        # Each part is preceded by its length, so that no two different grants give the same text.
        parts = (_VERSION, permission, container, path, expiry, disposition or "")
        text = "".join(f"{len(part)}:{part}\n" for part in parts)
        digest = hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _create_key(path: Path) -> None:
    """Write a fresh key beside ``path`` and link it there, unless another process was faster."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    finally:
        temporary.unlink(missing_ok=True)
