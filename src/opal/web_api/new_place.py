"""A place to deliver to as a client gives it, with its secrets: part of ``delivery_targets.py``."""

from typing import Annotated, Any

from fastapi import Request
from pydantic import Field, SecretStr

from opal.destinations.opening import Destinations
from opal.destinations.places import AzurePlace, FolderPlace, S3Place, azure_secret, place_of
from opal.errors import InvalidDeliveryTarget
from opal.sealing import Sealer

# A SAS, an account key, a secret access key: printable ASCII without spaces.
_SECRET = Field(min_length=1, max_length=2048)


class NewAzure(AzurePlace):
    """A container with one credential for it; never shown again."""

    sas: Annotated[SecretStr, _SECRET] | None = Field(
        default=None, description="A SAS of the container that may create and write; reading spares repeats."
    )
    account_key: Annotated[SecretStr, _SECRET] | None = Field(
        default=None, description="In place of a SAS: the storage account's key, which may do everything."
    )


class NewS3(S3Place):
    """A bucket with the key that may write to it; never shown again."""

    secret_access_key: SecretStr = Field(
        min_length=1, max_length=256, description="Needs `s3:PutObject`; `s3:GetObject` spares repeats."
    )
    session_token: Annotated[SecretStr, Field(min_length=1, max_length=8192)] | None = Field(
        default=None,
        description="Of temporary credentials. When they end, deliveries fail until it is renewed.",
    )


NewPlace = Annotated[FolderPlace | NewAzure | NewS3, Field(discriminator="kind")]


async def taken_apart(
    request: Request, target_id: str, new: FolderPlace | NewAzure | NewS3
) -> tuple[dict[str, Any], str | None]:
    """The place as it is kept, and its secret sealed. Raises when it would not be delivered to."""
    destinations: Destinations = request.app.state.destinations
    sealer: Sealer = request.app.state.sealer
    shown = new.model_dump(exclude={"sas", "account_key", "secret_access_key", "session_token"})
    place = place_of(shown)
    if isinstance(new, NewAzure):
        secret = azure_secret(_plain(new.sas), _plain(new.account_key))
    elif isinstance(new, NewS3):
        secret = {"secret_access_key": new.secret_access_key.get_secret_value()}
        if new.session_token is not None:
            secret["session_token"] = new.session_token.get_secret_value()
    else:
        secret = {}
    if not all(value.isascii() and value.isprintable() and " " not in value for value in secret.values()):
        raise InvalidDeliveryTarget("A key or SAS has printable ASCII characters only, and no spaces.")
    await destinations.check(place)
    return shown, sealer.seal(target_id, secret) if secret else None


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
