"""Who this process is in Azure: one credential, shared by all parts that speak to Azure.

Built by ``assembly.py``, and imported only where a part of Azure's is used: its packages take half a second
that no laptop should wait.
"""

from typing import TypeAlias

from azure.core.credentials_async import AsyncTokenCredential
from azure.identity.aio import DefaultAzureCredential

from opal.settings import AzureSettings

AzureIdentity: TypeAlias = AsyncTokenCredential


def azure_identity(settings: AzureSettings) -> AzureIdentity:
    """The user-assigned managed identity that the settings name, else whatever identity the machine has.

    It keeps its tokens and renews them by itself, so one lives as long as the process. Close it at the end.
    """
    return DefaultAzureCredential(managed_identity_client_id=settings.client_id)
