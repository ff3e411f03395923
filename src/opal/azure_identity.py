"""Who this process is in Azure: one credential, shared by all parts that speak to Azure.

Built by ``assembly.py``, and imported only where a part of Azure's is used: its packages take half a second
that no laptop should wait.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError
from azure.identity.aio import DefaultAzureCredential

from opal.platform_settings import AzureSettings

AzureIdentity: TypeAlias = AsyncTokenCredential

_DATABASE_SCOPE = "https://ossrdbms-aad.database.windows.net/.default"


def azure_identity(settings: AzureSettings) -> AzureIdentity:
    """The user-assigned managed identity that the settings name, else whatever identity the machine has.

    It keeps its tokens and renews them by itself, so one lives as long as the process. Close it at the end.
    """
    return DefaultAzureCredential(managed_identity_client_id=settings.client_id)


def database_password(identity: AzureIdentity) -> Callable[[], Awaitable[str]]:
    """What signs this identity in to Azure Database for PostgreSQL: a token, valid for about an hour.

    A connection that is open stays so when its token ends; new ones are given a fresh one.
    """

    async def password() -> str:
        try:
            return (await identity.get_token(_DATABASE_SCOPE)).token
        except AzureError as error:
            raise ConnectionError(f"No token for the database ({type(error).__name__}).") from error

    return password
