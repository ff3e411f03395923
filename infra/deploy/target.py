"""Which environment is deployed to, and what runs there now."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.deploy.azure_cli import AzureCli, found

APPS = ("web-api", "orchestrator", "export-worker", "billing-service")


@dataclass(frozen=True, slots=True)
class Target:
    """An environment (`dev`, `prod`) and the resource group that it is in."""

    environment: str
    group: str

    def name(self, part: str) -> str:
        """`opal-web-api-dev` for `web-api`."""
        return f"opal-{part}-{self.environment}"

    @property
    def endpoint(self) -> tuple[str, ...]:
        """How `az ml online-endpoint` is told which."""
        return ("--name", self.name("sd-placement"), *self.workspace)

    def deployment(self, colour: str) -> tuple[str, ...]:
        """How `az ml online-deployment` is told which."""
        return ("--name", colour, "--endpoint-name", self.name("sd-placement"), *self.workspace)

    @property
    def workspace(self) -> tuple[str, ...]:
        """How `az ml` is told where."""
        return ("--workspace-name", f"opal-{self.environment}", "--resource-group", self.group)


@dataclass(frozen=True, slots=True)
class Running:
    """Images by digest, empty where there are none yet, and the endpoint's traffic, percent by deployment."""

    app_image: str
    migration_image: str
    traffic: Mapping[str, int]


def target_of_environment() -> Target:
    """As the workflow says in OPAL_ENVIRONMENT and OPAL_RESOURCE_GROUP."""
    return Target(os.environ["OPAL_ENVIRONMENT"], os.environ["OPAL_RESOURCE_GROUP"])


def running(az: AzureCli, target: Target) -> Running:
    """What runs now."""
    there = ("--resource-group", target.group)
    app = found(az, "containerapp", "show", "--name", target.name("web-api"), *there)
    job = found(az, "containerapp", "job", "show", "--name", target.name("migration"), *there)
    endpoint = found(az, "ml", "online-endpoint", "show", *target.endpoint)
    return Running(_image(app), _image(job), (endpoint or {}).get("traffic") or {})


def outputs(az: AzureCli, target: Target) -> dict[str, Any]:
    """What main.bicep says at its end, by name. Raises DeploymentFailed where it was never applied."""
    shown = az("deployment", "group", "show", "--name", "main", "--resource-group", target.group)
    return {name: each["value"] for name, each in shown["properties"]["outputs"].items()}


def _image(container_app: Any) -> str:
    if container_app is None:
        return ""
    image: str = container_app["properties"]["template"]["containers"][0]["image"]
    return image
