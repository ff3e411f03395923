"""A link that signs its first user in, for `opal up`: web-api and the command share the data folder.

The folder holds a hash of the token, readable by its owner only. Taking the link removes the file, which
succeeds for one of any number of takers.
"""

import hashlib
import hmac
import json
import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from opal.database.engine import utc_now

LASTS: Final = timedelta(minutes=10)
_NAME: Final = "sign-in-link"


def make_link(data_dir: Path, key_id: str) -> str:
    """A token for ``key_id``, good once within ten minutes; one made before ends."""
    token = secrets.token_urlsafe(32)
    kept = {"token": _hash(token), "key": key_id, "ends": (utc_now() + LASTS).isoformat()}
    temporary = data_dir / f".{_NAME}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(kept, file)
    temporary.replace(data_dir / _NAME)
    return token


def take_link(data_dir: Path, token: str) -> str | None:
    """The id of the key that ``token`` stands for, this once; None for a token that is no good (any more)."""
    path = data_dir / _NAME
    try:
        kept = json.loads(path.read_text("utf-8"))
        if not hmac.compare_digest(kept["token"], _hash(token)):
            return None
        path.unlink()
    except FileNotFoundError:
        return None
    return str(kept["key"]) if utc_now() < datetime.fromisoformat(kept["ends"]) else None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
