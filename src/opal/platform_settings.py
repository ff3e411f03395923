"""Settings of what Opal stands on: database, queues, blobs, and who it is in Azure.

Part of `settings.py`, which reads them.
"""

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings

from opal.faults import in_words
from opal.setting_addresses import (
    VERIFIED,
    AccountKey,
    BaseUrl,
    DatabaseUrl,
    Namespace,
    ServiceBusString,
    database_options,
)
from opal.settings_group import read_from


class DatabaseSettings(BaseSettings):
    """Where state is kept."""

    model_config = read_from("DATABASE_")

    url: DatabaseUrl | None = Field(
        default=None,
        description="SQLAlchemy URL, sqlite+aiosqlite or postgresql+asyncpg; unset: opal.sqlite in data_dir. "
        "`?ssl=verify-full` asks the server for a certificate of an authority that the machine trusts.",
    )
    managed_identity: bool = Field(
        default=False,
        description="PostgreSQL in Azure: sign in as the managed identity; the URL then has its name as "
        "user, no password, and `?ssl=verify-full`.",
    )
    busy_timeout_s: float = Field(default=15.0, gt=0, description="SQLite: how long a writer waits its turn.")
    pool_size: int = Field(default=10, ge=1, le=100, description="PostgreSQL: connections per process.")
    connect_timeout_s: float = Field(
        default=10.0, gt=0, description="PostgreSQL: longest wait for a connection, a new or a pooled one."
    )
    statement_timeout_s: float = Field(
        default=30.0, gt=0, description="PostgreSQL: longest statement; migrations have no limit."
    )

    @model_validator(mode="after")
    def _signs_in_to_a_verified_server(self) -> Self:
        if self.managed_identity and database_options(self.url or "").get("ssl") != [VERIFIED]:
            # The password is a token of the identity's: whoever poses as the server could use it.
            raise ValueError(
                "OPAL_DATABASE_MANAGED_IDENTITY needs a PostgreSQL OPAL_DATABASE_URL with ?ssl=verify-full"
            )
        return self


class QueueSettings(BaseSettings):
    """How messages travel."""

    model_config = read_from("QUEUE_")

    adapter: Literal["local", "servicebus"] = Field(
        default="local", description="Which queue implementation to use."
    )
    lock_s: float = Field(
        default=60.0, ge=0.5, le=300, description="How long a received message stays locked."
    )
    max_delivery_count: int = Field(
        default=30, ge=1, le=2000, description="Deliveries before the queue itself dead-letters a message."
    )
    duplicate_window_s: float = Field(
        default=600.0, ge=0, description="How long a repeated message id is dropped."
    )
    poll_s: float = Field(
        default=1.0,
        ge=0.05,
        le=60,
        description="local: safety poll for messages whose wake-up call was missed.",
    )
    namespace: Namespace | None = Field(
        default=None, description="servicebus: host of the namespace, NAME.servicebus.windows.net."
    )
    connection_string: ServiceBusString | None = Field(
        default=None,
        description="servicebus: instead of the namespace and an identity, for the emulator and tests.",
    )
    prefix: str = Field(
        default="",
        pattern=in_words(r"^[a-z0-9-]{0,40}$", "up to 40 small letters, digits and hyphens"),
        description="servicebus: what the queues' names begin with, where several Opals share a namespace.",
    )
    answer_s: float = Field(
        default=15.0, gt=0, le=60, description="servicebus: longest wait for one answer of the service."
    )
    idle_s: float = Field(
        default=300.0, ge=1, le=540, description="servicebus: age at which a silent link is opened anew."
    )

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        if self.adapter == "servicebus" and self.namespace is None and self.connection_string is None:
            raise ValueError("OPAL_QUEUE_ADAPTER=servicebus needs OPAL_QUEUE_NAMESPACE")
        return self


class BlobSettings(BaseSettings):
    """Where pictures are kept."""

    model_config = read_from("BLOB_")

    adapter: Literal["folder", "azure"] = Field(
        default="folder", description="Which blob implementation to use."
    )
    account_url: BaseUrl | None = Field(
        default=None,
        description="azure: the storage account's blob endpoint, https://ACCOUNT.blob.core.windows.net.",
    )
    account_key: AccountKey | None = Field(
        default=None, description="azure: the account's key, for an emulator; unset: the managed identity."
    )
    timeout_s: float = Field(
        default=60.0, gt=0, description="azure: longest wait for one operation with all its tries."
    )
    public_url: BaseUrl | None = Field(
        default=None,
        description="folder: base URL under which web-api serves signed URLs; unset: web-api's own.",
    )
    url_lifetime_s: int = Field(
        default=900,
        ge=1,
        le=900,
        description="How long a signed URL given to a client works, seconds; the placement endpoint's: 900.",
    )

    @model_validator(mode="after")
    def _azure_has_an_account(self) -> Self:
        if self.adapter == "azure" and self.account_url is None:
            raise ValueError("OPAL_BLOB_ADAPTER=azure needs OPAL_BLOB_ACCOUNT_URL")
        return self


class AzureSettings(BaseSettings):
    """Who Opal is in Azure."""

    model_config = read_from("AZURE_")

    client_id: str | None = Field(
        default=None,
        description="Client id of the app's user-assigned managed identity; unset: whatever identity the "
        "machine has (`DefaultAzureCredential`).",
    )
