"""A Service Bus namespace in which a test makes its own queues, through the REST interface that all have."""

import base64
import hashlib
import hmac
import os
import time
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlsplit

import httpx

from opal.platform_settings import QueueSettings
from opal.settings import QUEUE_NAMES

VARIABLE = "OPAL_TEST_SERVICEBUS"

_EMULATOR_ADMIN_PORT = 5300
_DESCRIPTION = """<?xml version="1.0" encoding="utf-8"?>
<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml">
<QueueDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect">
<LockDuration>PT{lock_s}S</LockDuration>
<RequiresDuplicateDetection>{duplicates}</RequiresDuplicateDetection>
<DuplicateDetectionHistoryTimeWindow>PT{window_s}S</DuplicateDetectionHistoryTimeWindow>
<MaxDeliveryCount>{max_delivery_count}</MaxDeliveryCount>
</QueueDescription></content></entry>"""


@dataclass(frozen=True)
class Namespace:
    """Where it is, the key to it, and how short its queues' times may be."""

    connection_string: str
    admin_url: str
    shortest_lock_s: float = 5.0
    shortest_window_s: float = 20.0
    _client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30), repr=False)

    def settings_for(self, wanted: QueueSettings, prefix: str) -> QueueSettings:
        """``wanted`` for queues in this namespace, with times as short as it allows."""
        window_s = wanted.duplicate_window_s
        return wanted.model_copy(
            update={
                "lock_s": max(wanted.lock_s, self.shortest_lock_s),
                "duplicate_window_s": window_s and max(window_s, self.shortest_window_s),
                "prefix": prefix,
            }
        )

    def create_queues(self, settings: QueueSettings) -> None:
        """Opal's queues, as ``settings`` describe them."""
        for name in QUEUE_NAMES:
            description = _DESCRIPTION.format(
                lock_s=settings.lock_s,
                duplicates="true" if settings.duplicate_window_s else "false",
                window_s=settings.duplicate_window_s or 20,
                max_delivery_count=settings.max_delivery_count,
            )
            self._ask("PUT", settings.prefix + name, description).raise_for_status()

    def delete_queues(self, prefix: str) -> None:
        """Remove them with all that is in them."""
        for name in QUEUE_NAMES:
            self._ask("DELETE", prefix + name)

    def close(self) -> None:
        """Close the connection for making queues."""
        self._client.close()

    def _ask(self, method: str, path: str, content: str = "") -> httpx.Response:
        url = f"{self.admin_url}/{path}"
        headers = {
            "Authorization": self._token(url),
            "Content-Type": "application/atom+xml;type=entry;charset=utf-8",
        }
        return self._client.request(
            method, url, params={"api-version": "2021-05"}, content=content, headers=headers
        )

    def _token(self, resource: str) -> str:
        fields = _fields(self.connection_string)
        resource = quote_plus(resource)
        expiry = int(time.time()) + 600
        signed = hmac.new(
            fields["SharedAccessKey"].encode(), f"{resource}\n{expiry}".encode(), hashlib.sha256
        )
        signature = quote_plus(base64.b64encode(signed.digest()))
        name = fields["SharedAccessKeyName"]
        return f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={name}"


def another_namespace() -> Namespace | None:
    """The one that the environment puts in the place of our own server, if any."""
    connection_string = os.environ.get(VARIABLE)
    if not connection_string:
        return None
    fields = _fields(connection_string)
    host = urlsplit(fields["Endpoint"]).hostname or ""
    emulated = fields.get("UseDevelopmentEmulator") == "true"
    admin_url = f"http://{host}:{_EMULATOR_ADMIN_PORT}" if emulated else f"https://{host}"
    return Namespace(connection_string, admin_url)


def _fields(connection_string: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for part in connection_string.split(";"):
        name, _, value = part.partition("=")
        fields[name] = value
    return fields
