"""What a page may load, and who may show it."""

from typing import Final
from urllib.parse import urlsplit

from opal.settings import Settings

HEADERS: Final = {
    "Cache-Control": "private, no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Of every page, beside its Content-Security-Policy."""


def content_security_policy(settings: Settings) -> str:
    """Scripts and styles from here alone, none of them inline; photos go where the blobs are."""
    blobs = _blob_origins(settings)
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        # blob: and data: are the thumbnails that the browser made of the user's own photos.
        "img-src": f"'self' blob: data:{blobs}",
        "connect-src": f"'self'{blobs}",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _blob_origins(settings: Settings) -> str:
    """Where signed URLs lead, when that is not here."""
    if settings.blob.adapter != "azure" or settings.blob.account_url is None:
        return ""
    account = urlsplit(settings.blob.account_url)
    return f" {account.scheme}://{account.netloc}"
