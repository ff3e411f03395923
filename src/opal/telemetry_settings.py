"""Settings of what a service tells about itself. Part of `settings.py`, which reads them."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from opal.faults import in_words
from opal.setting_addresses import BaseUrl
from opal.settings_group import read_from


class LogSettings(BaseSettings):
    """Logs."""

    model_config = read_from("LOG_")

    format: Literal["console", "json"] = Field(
        default="console", description="Readable lines, or JSON lines."
    )
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least level logged."
    )


class TelemetrySettings(BaseSettings):
    """Traces and figures."""

    model_config = read_from("TELEMETRY_")

    otlp_endpoint: BaseUrl | None = Field(
        default=None,
        description="Base URL of an OpenTelemetry collector (OTLP over HTTP), http://HOST:4318; spans go to "
        "its /v1/traces. Without it and the next one no spans are made.",
    )
    azure_connection_string: SecretStr | None = Field(
        default=None, description="Connection string of an Application Insights resource; spans go there."
    )
    sample_share: float = Field(
        default=1.0, ge=0, le=1, description="Share of traces kept; the same for all services."
    )
    metrics_key: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Bearer token that /metrics asks for; unset: only clients on this machine may read it.",
    )
    services: str = Field(
        default="",
        pattern=in_words(
            r"^([a-z-]+=https?://[^\x00-\x20,]+(,[a-z-]+=https?://[^\x00-\x20,]+)*)?$",
            "NAME=URL, with commas between",
        ),
        description="web-api: other services whose /readyz the operators' health page asks, NAME=URL with "
        "commas between; `opal up` sets it.",
    )

    @property
    def service_addresses(self) -> dict[str, str]:
        """Base URLs of the other services, by their names."""
        return dict(each.split("=", 1) for each in self.services.split(",") if each)
