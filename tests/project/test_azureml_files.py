"""The files in `azureml/` hold to Azure ML's schema, to the design's names and to what the image does.

What may stand in them is in Azure ML's reference of the CLI's YAML (managed online endpoint, deployment,
environment). The files were also loaded once by its own SDK, azure-ai-ml 1.35, which CI does not install.
"""

from typing import Any

import pytest
import yaml
from tests.dockerfile import environment, stages
from tests.project.source_tree import ROOT

from opal.settings import ScoringSettings

AZUREML = ROOT / "azureml"
DEPLOYMENTS = ("deployment-stub", "deployment")
SCHEMAS = "https://azuremlschemas.azureedge.net/latest"
PROBE = {"initial_delay", "period", "timeout", "success_threshold", "failure_threshold"}

KEYS: dict[str, set[str]] = {
    "endpoint": {"name", "description", "tags", "auth_mode", "identity", "public_network_access"},
    "environment": {
        "name", "version", "description", "tags", "image", "conda_file", "build", "os_type",
        "inference_config",
    },
    "deployment": {
        "name", "description", "tags", "endpoint_name", "model", "model_mount_path", "code_configuration",
        "environment_variables", "environment", "instance_type", "instance_count", "app_insights_enabled",
        "scale_settings", "data_collector", "request_settings", "liveness_probe", "readiness_probe",
        "egress_public_network_access",
    },
    "request_settings": {"request_timeout_ms", "max_concurrent_requests_per_instance"},
    "inference_config": {"liveness_route", "readiness_route", "scoring_route"},
}  # fmt: skip

# Those of the managed online endpoints' list that fit: name, cores, whether there is a GPU.
INSTANCES = {"Standard_F4s_v2": (4, False), "Standard_NC4as_T4_v3": (4, True)}


def loaded(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((AZUREML / f"{name}.yml").read_text("utf-8")))


@pytest.mark.parametrize(
    ("name", "schema", "kind"),
    [
        ("endpoint", "managedOnlineEndpoint", "endpoint"),
        ("environment", "environment", "environment"),
        ("deployment-stub", "managedOnlineDeployment", "deployment"),
        ("deployment", "managedOnlineDeployment", "deployment"),
    ],
)
def test_every_key_is_one_of_the_schemas(name: str, schema: str, kind: str) -> None:
    document = loaded(name)
    assert document.pop("$schema") == f"{SCHEMAS}/{schema}.schema.json"
    assert set(document) <= KEYS[kind]
    for part in ("request_settings", "inference_config"):
        assert set(document.get(part, {})) <= KEYS[part]
    for probe in ("liveness_probe", "readiness_probe"):
        assert set(document.get(probe, {})) <= PROBE


def test_the_endpoint_is_the_designs() -> None:
    endpoint = loaded("endpoint")
    assert endpoint["name"] == "opal-sd-placement-dev"
    assert endpoint["auth_mode"] == "key"


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployment_belongs_to_the_endpoint_and_runs_the_environment(name: str) -> None:
    deployment = loaded(name)
    assert deployment["name"] == "blue"
    assert deployment["endpoint_name"] == loaded("endpoint")["name"]
    assert deployment["environment"] == f"azureml:{loaded('environment')['name']}@latest"


def test_the_stub_is_a_small_machine_without_a_gpu_and_the_other_has_one() -> None:
    assert INSTANCES[loaded("deployment-stub")["instance_type"]] == (4, False)
    assert INSTANCES[loaded("deployment")["instance_type"]] == (4, True)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_requests_and_times_are_those_that_the_client_counts_with(name: str) -> None:
    deployment, settings = loaded(name), ScoringSettings()
    requests = deployment["request_settings"]
    own = {key: str(value) for key, value in deployment["environment_variables"].items()}
    assert requests["max_concurrent_requests_per_instance"] == int(own["OPAL_SCORING_CONCURRENCY"])
    assert requests["max_concurrent_requests_per_instance"] == settings.concurrency
    assert deployment["instance_count"] == settings.instances
    assert settings.timeout_s * 1000 < requests["request_timeout_ms"] <= 180_000
    known = {f"OPAL_SCORING_{field.upper()}" for field in ScoringSettings.model_fields}
    assert set(own) <= known


def test_probes_go_where_the_image_answers() -> None:
    image = stages(ROOT / "Dockerfile")["scoring"]
    [port] = image.all("EXPOSE")
    routes = loaded("environment")["inference_config"]
    assert {route["port"] for route in routes.values()} == {int(port)}
    assert (routes["scoring_route"]["path"], routes["liveness_route"]["path"]) == ("/score", "/")
    assert image.words("CMD")[-1] == port


def test_requests_that_wait_leave_threads_for_the_probes() -> None:
    image = environment(ROOT / "Dockerfile", "scoring")
    options = image["GUNICORN_CMD_ARGS"].split()
    threads = int(options[options.index("--threads") + 1])
    # Scenes and cut-outs are counted apart, twice the concurrency of each; one more of each is being refused.
    assert threads >= 2 * (2 * ScoringSettings().concurrency) + 2
