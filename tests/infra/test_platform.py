"""What the apps stand on in Bicep is what the code expects: queues, containers, roles, connections."""

from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest
from infra.parameters import ENVIRONMENTS, FOLDER, parameters, parsed
from infra.scaling.capacity import connections_per_replica, user_connections
from tests.infra.bicep import APPS, FILES, config, environment, tree, variable

from opal.blobs.azure_blob import CREATE_HEADERS
from opal.blobs.interface import CONTAINERS
from opal.platform_settings import QueueSettings
from opal.settings import QUEUE_NAMES

# Azure's built-in roles, by the ids that its documentation lists.
_ROLE_NAMES = {
    "blobContributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "blobReader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "blobDelegator": "db58b8e5-c6ad-4a2a-8342-4190687cbf4a",
    "queueSender": "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39",
    "queueReceiver": "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0",
    "queueOwner": "090c5cfd-751d-490a-894a-3ce6f1109419",
    "secretsUser": "4633458b-17de-408a-b874-0445c86b69e6",
    "secretsOfficer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "imagePuller": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
}
_TABLES = (
    "onStorage",
    "onRaw",
    "onOutputs",
    "onExports",
    "onJobsQueue",
    "onExportsQueue",
    "onScoringSecrets",
    "onTelemetryConnection",
    "onDeliveryKey",
    "onRegistry",
    "onLearningStorage",
)


def _roles(table: str) -> set[tuple[str, str]]:
    return {(each["who"], each["role"]) for each in variable("roles", table)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_parses_and_every_module_is_called(path: Any) -> None:
    assert parsed(path)
    calls = {
        module["detail"]["path"].split("/")[-1]
        for name in ("main", "apps")
        for module in tree(name)["modules"].values()
    }
    assert path.name in calls | {"main.bicep"}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_parameter_files_give_what_main_asks_for(name: str) -> None:
    asked = tree("main")["parameters"]
    given = parameters(name)
    assert set(given) <= set(asked)
    assert {key for key, value in asked.items() if value["default"] is None} - {"location"} <= set(given)
    assert given["environmentName"] == name
    assert set(given["apps"]) == set(APPS)
    assert (FOLDER / f"{name}.bicepparam").read_text("utf-8").count("using './main.bicep'") == 1


def test_queues_are_the_codes_queues() -> None:
    turns = tree("servicebus")["resources"]["queues"]["config"]["loop_type"]["detail"]["array_name"]
    assert tuple(turns) == QUEUE_NAMES
    queue, settings = config("servicebus", "queues")["properties"], QueueSettings()
    assert _duration(queue["lockDuration"]) == timedelta(seconds=settings.lock_s)
    assert _duration(queue["duplicateDetectionHistoryTimeWindow"]) == timedelta(
        seconds=settings.duplicate_window_s
    )
    assert queue["maxDeliveryCount"] == settings.max_delivery_count
    assert queue["requiresDuplicateDetection"] is True
    assert queue["deadLetteringOnMessageExpiration"] is True
    assert config("servicebus", "namespace")["sku"]["name"] == "Standard"


def test_containers_are_the_codes_and_private() -> None:
    turns = tree("storage")["resources"]["containers"]["config"]["loop_type"]["detail"]["array_name"]
    assert set(turns) == set(CONTAINERS)
    assert config("storage", "containers")["properties"]["publicAccess"] == "None"
    account = config("storage", "account")["properties"]
    assert account["allowBlobPublicAccess"] is False
    assert account["allowSharedKeyAccess"] is False


def test_ageing_covers_every_container_and_deletes_nothing_that_rows_still_name() -> None:
    (rule,) = config("storage", "ageing")["properties"]["policy"]["rules"]
    assert {prefix.rstrip("/") for prefix in rule["definition"]["filters"]["prefixMatch"]} == set(CONTAINERS)
    assert set(rule["definition"]["actions"]["baseBlob"]) == {"tierToCool", "tierToCold"}


def test_nothing_has_a_password_or_a_key_of_its_own() -> None:
    assert config("postgres", "flexibleServer")["properties"]["authConfig"]["passwordAuth"] == "Disabled"
    assert config("postgres", "flexibleServer")["properties"]["network"]["publicNetworkAccess"] == "Disabled"
    assert config("servicebus", "namespace")["properties"]["disableLocalAuth"] is True
    assert config("registry", "registry")["properties"]["adminUserEnabled"] is False
    assert config("vault", "vault")["properties"]["enableRbacAuthorization"] is True


def test_role_assignments_are_in_one_file_and_each_has_its_reason() -> None:
    for path in FILES:
        kinds = {resource["type"] for resource in parsed(path).get("resources", {}).values()}
        assert path.name == "roles.bicep" or "Microsoft.Authorization/roleAssignments" not in kinds
    tables = {name for name in tree("roles")["variables"] if name.startswith("on")}
    assert tables == set(_TABLES)
    for table in tables:
        assert all(len(each["reason"]) > 10 for each in variable("roles", table))
    for resource in tree("roles")["resources"].values():
        if not resource["existing"]:
            body = resource["config"].get("config", resource["config"])
            assert body["properties"]["description"]


def test_roles_are_azures() -> None:
    assert variable("roles", "role") == _ROLE_NAMES


def test_roles_are_what_each_app_does_and_no_more() -> None:
    held = defaultdict(set)
    for table in _TABLES:
        for who, role in _roles(table):
            held[who].add((table, role))
    assert held["orchestrator"] >= {("onJobsQueue", "queueReceiver"), ("onOutputs", "blobContributor")}
    # Removes what is too old, what no row names, and what a tenant wants gone.
    assert held["webApi"] >= {(each, "blobContributor") for each in ("onRaw", "onOutputs", "onExports")}
    assert held["exportWorker"] >= {("onExportsQueue", "queueReceiver"), ("onExports", "blobContributor")}
    assert held["webApi"] >= {("onJobsQueue", "queueSender"), ("onExportsQueue", "queueSender")}
    # One consumer per queue: who may settle messages elsewhere only looks, and says so.
    assert held["billingService"] == {("onTelemetryConnection", "secretsUser")}
    writers = {who for table in _TABLES for who, role in _roles(table) if role == "blobContributor"}
    assert writers == {"webApi", "orchestrator", "exportWorker"}
    assert {who for table in _TABLES for who, role in _roles(table) if role == "queueOwner"} == {"platform"}
    assert held["scoring"] == {("onRegistry", "imagePuller"), ("onLearningStorage", "blobReader")}


@pytest.mark.parametrize("app", ["webApi", "orchestrator", "exportWorker"])
def test_every_container_can_be_looked_at(app: str) -> None:
    # `/readyz` looks at all three.
    for table in ("onRaw", "onOutputs", "onExports"):
        assert app in {who for who, _ in _roles(table)}


def test_secrets_are_read_by_those_who_are_given_them() -> None:
    readers = {
        "scoring-url": {who for who, _ in _roles("onScoringSecrets")},
        "scoring-key": {who for who, _ in _roles("onScoringSecrets")},
        "delivery-key": {who for who, _ in _roles("onDeliveryKey")},
        "telemetry-connection-string": {who for who, _ in _roles("onTelemetryConnection")},
    }
    given = defaultdict(set)
    for app in APPS:
        for each in environment(app).values():
            if "secretRef" in each:
                given[each["secretRef"]].add(app)
    assert given == readers


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_database_has_connections_for_every_replica(name: str) -> None:
    has = parameters(name)
    replicas = sum(size["maxReplicas"] for size in has["apps"].values())
    assert replicas * connections_per_replica(has) < user_connections(has)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_orchestrators_together_do_not_ask_more_than_the_endpoint_takes(name: str) -> None:
    has = parameters(name)
    asked = has["apps"]["orchestrator"]["maxReplicas"] * has["workers"]["orchestrator"]["concurrency"]
    # Above twice what its instances work on, Azure ML answers 429.
    assert asked <= 2 * has["scoring"]["instances"] * has["scoring"]["concurrency"]


def test_the_endpoint_is_named_and_keyed_as_designed() -> None:
    endpoint = config("machine-learning", "endpoint")
    assert endpoint["name"] == "opal-sd-placement-${environmentName}"
    assert endpoint["properties"]["authMode"] == "Key"


def _duration(text: str) -> timedelta:
    assert text.startswith("PT")
    assert text.endswith("M")
    return timedelta(minutes=int(text[2:-1]))


def test_the_consoles_pages_reach_the_blobs() -> None:
    [rule] = variable("storage", "browserRules")
    assert set(rule["allowedMethods"]) == {"GET", "PUT"}
    # What pages send beside what needs no leave: api.js and upload-queue.js, the latter as the ticket says.
    assert {*CREATE_HEADERS, "content-type"} <= set(rule["allowedHeaders"])
    assert rule["allowedOrigins"] == "browserOrigins"
    given = tree("main")["modules"]["storage"]["config"]["params"]["browserOrigins"]
    assert "opal-web-api-" in str(given)
    assert "uploadOrigins" in str(given)
