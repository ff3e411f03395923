"""Settings of what Opal sends to others: which addresses, webhooks, deliveries, its own commands' requests.

Part of `settings.py`, which reads them.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from opal.setting_addresses import BaseUrl
from opal.settings_group import read_from


class OutgoingSettings(BaseSettings):
    """Requests to addresses that somebody else chose: webhooks, delivery targets."""

    model_config = read_from("OUTGOING_")

    private_addresses: Literal["refuse", "allow"] = Field(
        default="refuse",
        description="Addresses of this machine and its own network, plain HTTP, and ports other than 443 and "
        "8443. Allow them only where every key's owner may see your network.",
    )


class WebhookSettings(BaseSettings):
    """Webhooks (docs/webhooks.md)."""

    model_config = read_from("WEBHOOK_")

    timeout_s: float = Field(default=15.0, gt=0, le=30, description="Longest wait for an endpoint's answer.")
    max_failures: int = Field(
        default=10, ge=1, description="Failed tries in a row before an endpoint may be disabled."
    )
    disable_after_s: float = Field(
        default=86_400.0,
        ge=0,
        description="And how long these failures must have lasted, so that a short outage disables nothing.",
    )
    max_per_tenant: int = Field(default=10, ge=1, le=100, description="Endpoints that a tenant may have.")
    concurrency: int = Field(default=200, ge=1, le=1000, description="Deliveries under way at a time.")
    per_endpoint: int = Field(default=4, ge=1, description="Deliveries to one endpoint at a time.")
    poll_s: float = Field(default=1.0, ge=0.05, le=60, description="How often due deliveries are looked for.")
    old_secret_s: float = Field(
        default=86_400.0, ge=0, description="How long the secret before the present one signs as well."
    )
    keep_days: int = Field(default=30, ge=1, description="How long deliveries can be listed and replayed.")


class DeliverySettings(BaseSettings):
    """Delivery of finished pictures to tenants' folders, containers and buckets (docs/delivery.md)."""

    model_config = read_from("DELIVERY_")

    folder_root: Path | None = Field(
        default=None,
        description="Folder under which targets of kind `folder` lie, each tenant in one of its own; unset: "
        "there are no such targets.",
    )
    key: SecretStr | None = Field(
        default=None,
        description="Fernet keys that seal the secrets of targets and webhooks, comma-separated, the one for "
        "new secrets first; unset: delivery-sealing.key in data_dir, made on first use. Needed with "
        "OPAL_DATABASE_URL, the same for every web-api.",
    )
    timeout_s: float = Field(default=120.0, gt=0, le=3600, description="Longest time for one file.")
    max_failures: int = Field(
        default=10, ge=1, description="Failed tries in a row before a target may be disabled."
    )
    disable_after_s: float = Field(
        default=21_600.0,
        ge=0,
        description="And how long these failures must have lasted, so that a short outage disables nothing.",
    )
    max_per_tenant: int = Field(default=10, ge=1, le=100, description="Targets that a tenant may have.")
    concurrency: int = Field(default=4, ge=1, le=64, description="Targets that are delivered to at a time.")
    per_target: int = Field(default=2, ge=1, le=16, description="Files on their way to one target at a time.")
    poll_s: float = Field(default=1.0, ge=0.05, le=60, description="How often due deliveries are looked for.")


class ApiSettings(BaseSettings):
    """Whose API `opal webhooks` and `opal deliver` speak to, and as whom."""

    model_config = read_from("API_")

    url: BaseUrl | None = Field(
        default=None,
        description="web-api's address; unset: this machine's, at OPAL_WEB_PORT.",
    )
    key: SecretStr | None = Field(
        default=None, description="A key of the tenant's; unset: the one that `opal up` keeps in data_dir."
    )
