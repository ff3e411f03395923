"""What a tenant says of a place, without its secrets: kept in the database and shown by the API."""

import base64
import binascii
import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from opal.errors import InvalidDeliveryTarget
from opal.faults import BASE_URL, in_words

_FOLDER = in_words(
    r"^[A-Za-z0-9_][A-Za-z0-9_.()+@-]{0,99}(/[A-Za-z0-9_][A-Za-z0-9_.()+@-]{0,99}){0,9}$",
    "one to ten names with / between them, each of up to 100 ASCII letters, digits and _.()+@-, "
    "with a letter, a digit or _ first",
)
_CONTAINER = re.compile(r"[a-z0-9](-?[a-z0-9]){2,62}")
# An IPv4 or IPv6 address at the end of a host, before its port.
_ADDRESS = re.compile(r"(\.\d{1,3}){4}(:\d+)?$|\]")
_BUCKET = in_words(
    r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
    "3 to 63 small letters, digits, dots and hyphens, with a letter or a digit at either end",
)
_ACCOUNT = in_words(r"^[a-z0-9]{3,24}$", "3 to 24 small letters and digits")


class FolderPlace(BaseModel):
    """A folder of the machine that Opal runs on."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["folder"]
    folder: str = Field(
        pattern=_FOLDER,
        description="Below the tenant's own folder in `OPAL_DELIVERY_FOLDER_ROOT`.",
        examples=["shop/pictures"],
    )


class AzurePlace(BaseModel):
    """A container in Azure Blob Storage."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["azure"]
    container_url: str = Field(
        max_length=2048,
        # No `?`: a SAS in it would be shown.
        pattern=BASE_URL,
        description="The container's URL without a SAS.",
        examples=["https://acmeshop.blob.core.windows.net/pictures"],
    )
    account: str | None = Field(
        default=None, pattern=_ACCOUNT, description="Only where the URL does not tell the account's name."
    )

    @property
    def endpoint(self) -> str:
        """The URL without the container."""
        return self.container_url.rstrip("/").rpartition("/")[0]

    @property
    def container(self) -> str:
        """The last part of the URL."""
        return self.container_url.rstrip("/").rpartition("/")[2]

    @property
    def account_name(self) -> str:
        """As given; else the host's first label, or the path's where the container is not alone in it."""
        host, _, path = self.endpoint.partition("://")[2].partition("/")
        return self.account or path.partition("/")[0] or host.partition(".")[0]

    def check(self) -> None:
        """Raises ``InvalidDeliveryTarget`` for a URL that is no container's."""
        if not _CONTAINER.fullmatch(self.container) or "://" not in self.endpoint:
            raise InvalidDeliveryTarget("The URL must end with the container's name.")


class S3Place(BaseModel):
    """A bucket in Amazon S3, or in a store that speaks its protocol."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["s3"]
    bucket: str = Field(pattern=_BUCKET, examples=["acme-pictures"])
    region: str = Field(
        default="us-east-1",
        pattern=in_words(r"^[a-z0-9-]{1,32}$", "1 to 32 small letters, digits and hyphens"),
        examples=["eu-central-1"],
    )
    endpoint: str | None = Field(
        default=None,
        max_length=2048,
        pattern=BASE_URL,
        description="Of a store other than Amazon's, without the bucket.",
    )
    addressing: Literal["path", "virtual-host"] = Field(
        default="path",
        description="Where requests name the bucket: in the URL's path, or before the endpoint's host.",
    )
    access_key_id: str = Field(
        pattern=in_words(r"^[!-~]{1,128}$", "1 to 128 ASCII letters, digits and signs, without spaces"),
        examples=["AKIAEXAMPLE"],
    )

    @property
    def url(self) -> str:
        """What is called: the endpoint, Amazon's unless one is given, the bucket before its host or not."""
        china = ".cn" if self.region.startswith("cn-") else ""
        endpoint = (self.endpoint or f"https://s3.{self.region}.amazonaws.com{china}").rstrip("/")
        if self.addressing == "path":
            return endpoint
        scheme, _, host = endpoint.partition("://")
        return f"{scheme}://{self.bucket}.{host}"

    def check(self) -> None:
        """Raises ``InvalidDeliveryTarget`` where the bucket cannot be named before the endpoint's host."""
        if self.addressing == "path":
            return
        scheme, _, host = self.url.partition("://")
        if "/" in host:
            raise InvalidDeliveryTarget("With `virtual-host` addressing an endpoint has no path.")
        if _ADDRESS.search(host):
            raise InvalidDeliveryTarget("No bucket can be named before an address: use `path` addressing.")
        if scheme == "https" and "." in self.bucket:
            # One label is all that a store's wildcard certificate stands for.
            raise InvalidDeliveryTarget("A bucket with a dot in its name needs `path` addressing.")


Place = Annotated[FolderPlace | AzurePlace | S3Place, Field(discriminator="kind")]
_PLACES: TypeAdapter[FolderPlace | AzurePlace | S3Place] = TypeAdapter(Place)


def place_of(stored: object) -> FolderPlace | AzurePlace | S3Place:
    """A place as the database has it."""
    return _PLACES.validate_python(stored)


def azure_secret(sas: str | None, account_key: str | None) -> dict[str, str]:
    """The one credential of a container. Raises ``InvalidDeliveryTarget`` unless it is exactly one."""
    if (sas is None) == (account_key is None):
        raise InvalidDeliveryTarget("Give either `sas` or `account_key`.")
    if sas is not None:
        sas = sas.removeprefix("?")
        if "sig=" not in sas:
            raise InvalidDeliveryTarget("A SAS has a `sig`: give its whole query string.")
        return {"sas": sas}
    assert account_key is not None
    try:
        base64.b64decode(account_key, validate=True)
    except binascii.Error as error:
        raise InvalidDeliveryTarget("An account key is base64.") from error
    return {"account_key": account_key}
