"""The headers by which a receiver knows that a webhook is ours, whole and new. Called by ``sender.py``."""

from collections.abc import Sequence
from datetime import datetime

from standardwebhooks import Webhook


def signed_headers(event_id: str, body: str, secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """`webhook-id`, `webhook-timestamp` and `webhook-signature`, one signature per secret.

    ``at`` is an aware time in UTC: that of the try, not of the event. While two secrets sign, a receiver
    that knows either of them is content.
    """
    signatures = [Webhook(secret).sign(event_id, at, body) for secret in secrets]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
