"""Sends spans to Azure Monitor (Application Insights). Imported only where a connection string is set."""

from azure.monitor.opentelemetry.exporter import AzureMonitorTraceExporter
from pydantic import TypeAdapter

from opal.errors import InvalidSettings
from opal.setting_addresses import BaseUrl, connection_fields
from opal.settings import set_unless_set

# By itself it also reports on its own health and asks what to switch off, at addresses of Microsoft's that
# nobody named.
_ITS_OWN_REPORTS = {
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED": "true",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
    "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED": "true",
}


def azure_exporter(connection_string: str) -> AzureMonitorTraceExporter:
    """The exporter to the resource that ``connection_string`` names. Raises ``InvalidSettings``."""
    set_unless_set(_ITS_OWN_REPORTS)
    try:
        endpoint = connection_fields(connection_string).get("ingestionendpoint")
        TypeAdapter(BaseUrl | None).validate_python(endpoint)
        # Nothing is kept on disk: a container's is gone with it, and it would lie there readable.
        return AzureMonitorTraceExporter(connection_string=connection_string, disable_offline_storage=True)
    except ValueError as error:
        raise InvalidSettings(
            "OPAL_TELEMETRY_AZURE_CONNECTION_STRING: not a connection string of Application Insights"
        ) from error
