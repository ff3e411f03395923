"""Dockerfile, docker-compose.yml and their files name only what there is; nobody here can build them."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic_settings import BaseSettings
from tests.dockerfile import environment, health_check, stages
from tests.project.source_tree import ROOT, tracked_files

from opal.cli.main import COMMANDS
from opal.settings import GROUPS, QUEUE_NAMES, Settings

DOCKERFILE = ROOT / "Dockerfile"
IMAGES = ("app", "scoring")
SERVICES = {"web-api", "billing-service", "orchestrator", "export-worker"}
_PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)", re.MULTILINE)
# Written by the person who starts it, docs/azure.md says how.
SECRETS = {
    "POSTGRES_PASSWORD": "0" * 32,
    "SQL_PASSWORD": "Aa1" + "0" * 32,
    "OPAL_SCORING_KEY": "0" * 32,
    "OPAL_DELIVERY_KEY": "0" * 43 + "=",
    "ACCEPT_EULA": "Y",
}
_VARIABLE = re.compile(r"\$\{(\w+):\?[^}]*\}")


def copied() -> list[tuple[str, str]]:
    """(stage, path) of everything that is copied out of the project."""
    return [
        (stage.name, source)
        for stage in stages(DOCKERFILE).values()
        for argument in stage.all("COPY")
        if not argument.startswith("--from=")
        for source in argument.split()[:-1]
    ]


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"])


def filled(value: object) -> str:
    return _VARIABLE.sub(lambda match: SECRETS[match[1]], str(value))


def settings_of(values: dict[str, str]) -> dict[type[BaseSettings], dict[str, str]]:
    """The groups that variables belong to, with the fields' values; an unknown one has none."""
    found: dict[type[BaseSettings], dict[str, str]] = {}
    every: list[type[BaseSettings]] = [*GROUPS.values(), Settings]
    for name, value in values.items():
        groups = [
            (group, name.removeprefix(prefix).lower())
            for group in every
            if name.startswith(prefix := str(group.model_config["env_prefix"]))
            and name.removeprefix(prefix).lower() in group.model_fields
        ]
        assert len(groups) == 1, f"no setting is called {name}"
        [(group, field)] = groups
        found.setdefault(group, {})[field] = value
    return found


def test_what_is_copied_is_there_and_let_through() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    allowed = [line[1:] for line in lines if line.startswith("!")]
    tracked = {path.relative_to(ROOT) for path in tracked_files()}
    for stage, source in copied():
        below = [path for path in tracked if path.is_relative_to(source)]
        assert below, f"{stage} copies {source}, which is not there"
        shut = [
            path
            for path in below
            if not any(path.match(entry) or path.is_relative_to(entry) for entry in allowed)
        ]
        assert not shut, f".dockerignore keeps {shut} from {stage}"


def test_stages_copy_from_stages_that_there_are_and_what_they_made() -> None:
    known = stages(DOCKERFILE)
    for stage in known.values():
        assert stage.base in known or stage.base == "${PYTHON}"
        for argument in stage.all("COPY"):
            if argument.startswith("--from="):
                origin, source = argument.removeprefix("--from=").split()[:2]
                made = " ".join(text for _, text in known[origin].instructions)
                assert source in made, f"{origin} makes no {source}"


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_runs_as_nobody_in_particular(name: str) -> None:
    image = stages(DOCKERFILE)[name]
    [user] = image.all("USER")
    assert int(user) >= 10_000
    after = image.instructions[image.instructions.index(("USER", user)) :]
    assert not [instruction for instruction, _ in after if instruction in {"RUN", "COPY", "ADD"}]
    assert not image.all("RUN"), "what an image needs is made in the stages before it"


@pytest.mark.parametrize("name", IMAGES)
def test_an_images_health_is_asked_at_its_port(name: str) -> None:
    image = stages(DOCKERFILE)[name]
    [port] = image.all("EXPOSE")
    assert f"http://127.0.0.1:{port}/" in health_check(image)[-1]


@pytest.mark.parametrize("name", IMAGES)
def test_an_images_settings_exist_and_are_accepted(name: str) -> None:
    values = {key: text for key, text in environment(DOCKERFILE, name).items() if key.startswith("OPAL_")}
    for group, fields in settings_of(values).items():
        group.model_validate(fields)


def test_every_command_of_the_app_answers_at_its_one_port() -> None:
    image = stages(DOCKERFILE)["app"]
    values = environment(DOCKERFILE, "app")
    ports = ("OPAL_WEB_PORT", "OPAL_WEB_BILLING_PORT", "OPAL_WORKER_HEALTH_PORT")
    assert [values[name] for name in ports] == image.all("EXPOSE") * 3
    assert values["OPAL_WEB_HOST"] == values["OPAL_WEB_HEALTH_HOST"] == "0.0.0.0"
    assert image.words("CMD")[0] in COMMANDS


def test_both_images_have_the_python_packages_that_machine_code_and_pictures_depend_on() -> None:
    locks = [
        dict(_PIN.findall((ROOT / "requirements" / f"{name}.txt").read_text("utf-8")))
        for name in ("runtime", "azureml")
    ]
    for name in ("numba", "llvmlite", "numpy", "openvino", "pyvips", "pyvips-binary"):
        assert locks[0][name] == locks[1][name]


def test_the_base_image_is_of_the_python_that_the_locks_are_for() -> None:
    assert "ARG PYTHON=python:3.11-" in DOCKERFILE.read_text("utf-8")
    for lock in ("runtime", "azureml", "node"):
        assert "--python-version 3.11" in (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8")


def test_what_compose_takes_from_elsewhere_has_a_version() -> None:
    images = {service["image"] for service in compose().values()} - {"opal-app", "opal-scoring"}
    loose = {image for image in images if not re.search(r":\d[\w.-]*$", image) or image.endswith("latest")}
    assert not loose


def test_compose_starts_every_service_by_its_command() -> None:
    services = compose()
    own = {name: service for name, service in services.items() if service.get("image") == "opal-app"}
    assert {name for name in own if name in SERVICES} == SERVICES
    for name, service in own.items():
        assert service["build"]["target"] in stages(DOCKERFILE)
        if "entrypoint" not in service:
            assert service["command"] == [name]
            assert name in COMMANDS
    assert services["scoring"]["build"]["target"] == "scoring"


def test_compose_gives_only_settings_that_exist_and_are_accepted() -> None:
    for name in (*SERVICES, "migrate", "blob-containers", "scoring"):
        values = {key: filled(value) for key, value in compose()[name]["environment"].items()}
        for group, fields in settings_of(values).items():
            group.model_validate(fields)


def test_our_containers_in_compose_can_write_nothing_but_their_tmp() -> None:
    for service in compose().values():
        if str(service["image"]).startswith("opal-"):
            assert service["read_only"] is True
            assert (service["tmpfs"], service["cap_drop"]) == (["/tmp"], ["ALL"])


def test_our_containers_in_compose_have_time_to_finish_and_the_processor_they_are_made_for() -> None:
    grace = GROUPS["worker"].model_fields["grace_s"].default
    for service in compose().values():
        if str(service["image"]).startswith("opal-"):
            assert float(service["stop_grace_period"].removesuffix("s")) > grace
            assert service["platform"] == "linux/amd64"
    assert environment(DOCKERFILE, "base")["NUMBA_CPU_NAME"].startswith("x86-64-")


def test_addresses_in_compose_are_services_and_ports_of_theirs() -> None:
    services = compose()
    values = services["web-api"]["environment"]
    scoring = urlsplit(values["OPAL_SCORING_URL"])
    assert scoring.hostname == "scoring"
    assert [str(scoring.port)] == stages(DOCKERFILE)["scoring"].all("EXPOSE")
    assert urlsplit(filled(values["OPAL_DATABASE_URL"])).hostname == "postgres"
    assert "sb://service-bus;" in values["OPAL_QUEUE_CONNECTION_STRING"]
    blobs = urlsplit(values["OPAL_BLOB_ACCOUNT_URL"])
    azurite = services["azurite"]
    assert blobs.hostname in azurite["networks"]["default"]["aliases"]
    assert azurite["ports"] == [f"127.0.0.1:{blobs.port}:{blobs.port}"]
    assert str(blobs.port) in azurite["command"]


def test_what_compose_publishes_is_for_this_machine_alone() -> None:
    app = stages(DOCKERFILE)["app"].all("EXPOSE")[0]
    for name, service in compose().items():
        for published in service.get("ports", ()):
            host, _, inside = published.split(":")
            assert host == "127.0.0.1"
            assert name == "azurite" or inside == app


def test_files_that_compose_mounts_are_there() -> None:
    mounted = [
        volume.split(":")[0]
        for service in compose().values()
        for volume in service.get("volumes", ())
        if volume.startswith("./")
    ]
    assert mounted
    assert all((ROOT / path).is_file() for path in mounted)


def test_the_emulator_has_our_queues_within_its_own_limits() -> None:
    config = json.loads((ROOT / "containers" / "service-bus.json").read_text("utf-8"))
    [namespace] = config["UserConfig"]["Namespaces"]
    # It knows no other namespace.
    assert namespace["Name"] == "sbemulatorns"
    assert [queue["Name"] for queue in namespace["Queues"]] == list(QUEUE_NAMES)
    for queue in namespace["Queues"]:
        properties = queue["Properties"]
        assert properties["RequiresDuplicateDetection"] is True
        assert properties["RequiresSession"] is False
        assert properties["LockDuration"] == f"PT{GROUPS['queue'].model_fields['lock_s'].default / 60:.0f}M"
        told = compose()["orchestrator"]["environment"]["OPAL_QUEUE_MAX_DELIVERY_COUNT"]
        assert properties["MaxDeliveryCount"] == int(told) <= 10


def test_every_secret_that_compose_asks_for_is_explained() -> None:
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    asked = set(_VARIABLE.findall(text))
    assert asked == set(SECRETS)
    page = (ROOT / "docs" / "azure.md").read_text("utf-8")
    assert all(name in page for name in asked)
    assert ".env" in Path(ROOT / ".gitignore").read_text("utf-8").splitlines()
