"""Seals secrets that must be read again, so that a copy of the database alone gives none of them away.

Fernet of the package cryptography: AES-128-CBC with HMAC-SHA256. Used for the credentials of delivery targets
and webhooks' signing secrets; API keys need no reading back and are hashed instead (``database/keys.py``).
"""

import json
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from opal.errors import InvalidSettings, SecretUnreadable


class Sealer:
    """Seals with the first of ``keys``, opens with any: so a key is changed without a gap.

    Each is 32 bytes in URL-safe base64, as ``Fernet.generate_key()`` makes them. Raises ``InvalidSettings``.
    """

    def __init__(self, keys: list[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise InvalidSettings("OPAL_DELIVERY_KEY: not Fernet keys, 32 bytes each in base64") from error

    @classmethod
    def from_file(cls, path: Path) -> "Sealer":
        """The sealer of one data folder; its key is made on first use, readable by this user only."""
        if not path.exists():
            _create_key(path)
        return cls([path.read_text("ascii").strip()])

    def seal(self, owner_id: str, secret: dict[str, str]) -> str:
        """``secret`` as text that only ``open`` reads, and only for the same ``owner_id``."""
        plain = json.dumps({"owner": owner_id, "secret": secret}).encode()
        return self._fernet.encrypt(plain).decode("ascii")

    def open(self, owner_id: str, sealed: str) -> dict[str, str]:
        """What ``seal`` was given. Raises ``SecretUnreadable`` for another key or another owner."""
        try:
            opened = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken as error:
            raise SecretUnreadable from error
        if opened["owner"] != owner_id:
            raise SecretUnreadable
        return {str(name): str(value) for name, value in opened["secret"].items()}


def _create_key(path: Path) -> None:
    """Whole or not at all, and the first of several processes wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(Fernet.generate_key())
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    finally:
        temporary.unlink(missing_ok=True)
