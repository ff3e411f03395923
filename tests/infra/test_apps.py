"""The four apps in Bicep are the four services: names, commands, variables, secrets, doors, scaling."""

import re
from pathlib import Path

import pytest
import yaml
from infra.parameters import ENVIRONMENTS, parameters
from pydantic_settings import BaseSettings
from tests.infra.bicep import APPS, FILES, app_parameters, config, environment, joined, tree, variable

from opal.cli.main import COMMANDS
from opal.messages.export_message import ExportMessage
from opal.messages.job_message import JobMessage
from opal.settings import GROUPS, Settings, load_settings

_ROOT = Path(__file__).parents[2]
_CONSUMERS = {"orchestrator": JobMessage.QUEUE, "exportWorker": ExportMessage.QUEUE}
_PUBLIC = {"webApi", "billingService"}
_INTERPOLATION = re.compile(r"\$\{[^}]*\}")


def _declared() -> set[str]:
    """Every variable that the settings read."""
    groups: dict[str, type[BaseSettings]] = {**GROUPS, "": Settings}
    return {
        f"{group.model_config['env_prefix']}{field}".upper()
        for name, group in groups.items()
        for field in group.model_fields
        if name or field not in GROUPS
    }


def _values(app: str) -> dict[str, str]:
    """The app's variables as in Azure, what is known there alone stood in for."""
    values = {}
    for name, each in environment(app).items():
        value = each.get("value", "secret")
        values[name] = _INTERPOLATION.sub("x", value) if isinstance(value, str) else "1"
    return values | {
        "OPAL_BLOB_ACCOUNT_URL": "https://x.blob.core.windows.net",
        "OPAL_SCORING_URL": "https://x.inference.ml.azure.com/score",
        "OPAL_RETENTION_RAW_DAYS": "",
        "OPAL_RETENTION_EXPORTS_DAYS": "365",
    }


@pytest.mark.parametrize(("app", "service"), APPS.items())
def test_name_and_command_are_the_services(app: str, service: str) -> None:
    given = app_parameters(app)
    assert given["name"] == f"opal-{service}-${{environmentName}}"
    assert given["args"] == [service]
    assert service in COMMANDS
    assert config("identities", app)["name"] == f"opal-{service}-${{environmentName}}"


@pytest.mark.parametrize("app", APPS)
def test_every_variable_is_a_setting(app: str) -> None:
    names = {name for name in environment(app) if name.startswith("OPAL_")}
    assert names <= _declared()
    assert set(environment(app)) - names == {"AZURE_TOKEN_CREDENTIALS"}


@pytest.mark.parametrize("app", APPS)
def test_the_settings_accept_the_variables(app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _values(app).items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.database.managed_identity
    assert settings.azure.client_id is not None
    assert (settings.blob.adapter == "azure") == (app != "billingService")
    assert (settings.queue.adapter == "servicebus") == (app != "billingService")


@pytest.mark.parametrize("deployment", ["deployment.yml", "deployment-stub.yml"])
def test_web_api_lists_the_engines_that_the_endpoint_offers(deployment: str) -> None:
    given = yaml.safe_load((_ROOT / "azureml" / deployment).read_text("utf-8"))["environment_variables"]
    assert given["OPAL_SCORING_ENGINES"] == environment("webApi")["OPAL_SCORING_ENGINES"]["value"]


@pytest.mark.parametrize("app", APPS)
def test_an_app_is_its_own_identity_everywhere(app: str) -> None:
    given = app_parameters(app)
    accessed = given["identity"]["operator"]["operands"]
    assert list(accessed.values()) == ["identities", app]
    assert f"identities.{app}.name" in environment(app)["OPAL_DATABASE_URL"]["value"]
    assert app in str(environment(app)["OPAL_AZURE_CLIENT_ID"])


@pytest.mark.parametrize("app", APPS)
def test_every_secret_comes_from_the_vault_and_is_used(app: str) -> None:
    secrets = {each["name"]: each["url"] for each in joined(app_parameters(app).get("secrets", []))}
    assert {each["secretRef"] for each in environment(app).values() if "secretRef" in each} == set(secrets)
    assert all(url == f"${{vaultUrl}}secrets/{name}" for name, url in secrets.items())
    # And nothing that is secret stands there readable.
    readable = {name for name, each in environment(app).items() if "value" in each}
    assert not {name for name in readable if name.endswith(("_KEY", "_PASSWORD", "_CONNECTION_STRING"))}


def test_the_internet_reaches_web_api_and_billing_service_alone() -> None:
    assert {app for app in APPS if app_parameters(app).get("public", False)} == _PUBLIC
    assert variable("app", "openDoor")["external"] is True
    assert variable("app", "openDoor")["allowInsecure"] is False


@pytest.mark.parametrize(
    ("app", "host", "port"),
    [
        ("webApi", "OPAL_WEB_HOST", "OPAL_WEB_PORT"),
        ("billingService", "OPAL_WEB_HOST", "OPAL_WEB_BILLING_PORT"),
        ("orchestrator", "OPAL_WEB_HEALTH_HOST", "OPAL_WORKER_HEALTH_PORT"),
        ("exportWorker", "OPAL_WEB_HEALTH_HOST", "OPAL_WORKER_HEALTH_PORT"),
    ],
)
def test_probes_ask_where_the_service_listens(app: str, host: str, port: str) -> None:
    assert environment(app)[host]["value"] == "0.0.0.0"
    assert environment(app)[port]["value"] == str(app_parameters(app)["port"])


def test_probes_ask_the_health_pages() -> None:
    container = config("app", "app")["properties"]["template"]["containers"][0]
    paths = {probe["type"]: probe["httpGet"]["path"] for probe in container["probes"]}
    assert paths == {"Startup": "/healthz", "Liveness": "/healthz", "Readiness": "/readyz"}
    # Container Apps refuses more.
    assert all(1 <= probe["failureThreshold"] <= 10 for probe in container["probes"])


@pytest.mark.parametrize(("app", "queue"), _CONSUMERS.items())
def test_workers_grow_with_their_own_queue(app: str, queue: str) -> None:
    (rule,) = app_parameters(app)["scaleRules"]
    assert rule["custom"]["type"] == "azure-servicebus"
    assert rule["custom"]["metadata"]["queueName"] == queue
    assert rule["custom"]["metadata"]["namespace"] == "servicebusName"
    assert rule["custom"]["identity"] == "platformIdentityId"


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_workers_alone_scale_to_zero(name: str) -> None:
    sizes = parameters(name)["apps"]
    assert {app for app, size in sizes.items() if size["minReplicas"] == 0} == set(_CONSUMERS)
    assert all(size["maxReplicas"] >= max(1, size["minReplicas"]) for size in sizes.values())
    # Container Apps gives two gigabytes with each vCPU, and nothing between.
    for size in sizes.values():
        assert float(size["memory"].removesuffix("Gi")) == 2 * float(size["cpu"])
        assert float(size["cpu"]) % 0.25 == 0


def test_the_code_cannot_become_the_platform() -> None:
    for module, resource in (("app", "app"), ("migration", "job")):
        allowed = config(module, resource)["properties"]["configuration"]["identitySettings"]
        lifecycles = [(str(each["identity"]), each["lifecycle"]) for each in allowed]
        assert ("platformIdentityId", "None") in lifecycles
        assert [lifecycle for _, lifecycle in lifecycles] == ["All", "None"]


def test_the_migration_job_makes_the_role_of_each_app() -> None:
    job = config("migration", "job")["properties"]["template"]["containers"][0]
    command, *words = job["args"]
    assert command == "migrate"
    given = {name: option for option, name in zip(words[::2], words[1::2], strict=True)}
    assert given == {
        f"opal-{service}-${{environmentName}}": "--reader" if service == "billing-service" else "--app"
        for service in APPS.values()
    }
    assert {each["name"] for each in job["env"]} - {"AZURE_TOKEN_CREDENTIALS"} <= _declared()
    assert tree("postgres")["resources"]["administrator"]["config"]["name"] == "administratorId"


def test_every_database_url_asks_for_the_servers_certificate() -> None:
    urls = re.findall(r"'(postgresql\+asyncpg://[^']*)'", "".join(file.read_text() for file in FILES))
    # The apps' and the migration's.
    assert len(urls) == len(APPS) + 1
    assert {url.partition("?")[2] for url in urls} == {"ssl=verify-full"}
