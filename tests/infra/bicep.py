"""What the tests of infra/ ask of its Bicep: syntax trees, and values as far as they are plain."""

from typing import Any

from infra.parameters import FOLDER, parsed

MODULES = FOLDER / "modules"
FILES = (FOLDER / "main.bicep", *sorted(MODULES.glob("*.bicep")))
APPS = {
    "webApi": "web-api",
    "orchestrator": "orchestrator",
    "exportWorker": "export-worker",
    "billingService": "billing-service",
}


def tree(name: str) -> dict[str, Any]:
    """The syntax tree of ``modules/<name>.bicep``; ``main`` lies above."""
    path = FOLDER / "main.bicep" if name == "main" else MODULES / f"{name}.bicep"
    return parsed(path)


def variable(module: str, name: str) -> Any:
    return tree(module)["variables"][name]["value"]


def config(module: str, resource: str) -> dict[str, Any]:
    """What is set for a resource, that of one turn where it is a loop."""
    found: dict[str, Any] = tree(module)["resources"][resource]["config"]
    return found["config"] if "loop_type" in found else found


def app_parameters(app: str) -> dict[str, Any]:
    """What apps.bicep hands to app.bicep for ``webApi`` and so on."""
    found: dict[str, Any] = tree("apps")["modules"][app]["config"]["params"]
    return found


def joined(value: Any) -> list[dict[str, Any]]:
    """A list, or ``concat()`` of lists and of apps.bicep's variables, in order."""
    if isinstance(value, list):
        return value
    if isinstance(value, str):
        return joined(variable("apps", value))
    return [each for part in value["function"]["parameters"].values() for each in joined(part)]


def environment(app: str) -> dict[str, dict[str, Any]]:
    """An app's variables by name."""
    return {each["name"]: each for each in joined(app_parameters(app)["env"])}
