"""The public address of a finished picture: no query, no key, not to be guessed, ending as a picture should.

``/p/{token}/{name}``: the token is the item's number and an HMAC-SHA256 by the tenant's own key, so nothing
is stored per picture, links of pictures made long ago exist at once, and a new key ends all the old ones.
Used by ``database/public_links.py``, which finds what an address leads to.
"""

import hashlib
import hmac
import re
import secrets
import unicodedata

PREFIX = "/p/"
_ITEM_DIGITS = 24
_SEAL_BYTES = 20
"""160 bits of the HMAC; 128 are held to be beyond guessing."""
_VERSION = "opal-public-link-1"
# Small letters and digits only: an address survives systems that fold case or strip signs.
_TOKEN = re.compile(rf"[0-9a-f]{{{_ITEM_DIGITS + 2 * _SEAL_BYTES}}}")
_UNSAFE = re.compile(r"[^A-Za-z0-9]+")
_LONGEST_SKU = 64


def new_link_key() -> str:
    """A fresh key of a tenant: 256 random bits, as 64 hexadecimal digits."""
    return secrets.token_hex(32)


def public_path(key: str, *, item_id: str, sku: str | None, preset: str, sha256: str, extension: str) -> str:
    """The path of one picture, made with the tenant's key.

    The picture's own hash is sealed in, so what lies at a path can never change: other bytes, another path.
    ``extension`` is without its dot. The photo's file name is left out, as nobody meant it for the public.
    """
    name = f"{_public_name(sku, preset)}.{extension}"
    # Each part is preceded by its length, so that no two different pictures give the same text.
    text = "".join(f"{len(part)}:{part}\n" for part in (_VERSION, item_id, preset, sha256, name))
    seal = hmac.new(bytes.fromhex(key), text.encode(), hashlib.sha256).digest()[:_SEAL_BYTES]
    return f"{PREFIX}{item_id.removeprefix('item_')}{seal.hex()}/{name}"


def item_of_token(token: str) -> str | None:
    """The id of the item that a token is for, if it is for any; the seal is still to be checked."""
    return f"item_{token[:_ITEM_DIGITS]}" if _TOKEN.fullmatch(token) else None


def same_path(presented: str, genuine: str) -> bool:
    """Whether two paths are the same, in a time that does not tell where they differ."""
    return hmac.compare_digest(presented.encode("utf-8", "surrogatepass"), genuine.encode())


def _public_name(sku: str | None, preset: str) -> str:
    """``MUG-01-amazon-main``; only the preset where there is no SKU in letters that every channel takes."""
    plain = unicodedata.normalize("NFKD", sku or "").encode("ascii", "ignore").decode()
    named = _UNSAFE.sub("-", plain).strip("-")[:_LONGEST_SKU].rstrip("-")
    return f"{named}-{preset}" if named else preset
