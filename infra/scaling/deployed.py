"""What of an environment decides how fast it is, read from its parameter file and the Bicep that uses it.

Nothing is written down a second time: a setting that moves in infra/ moves the simulation and its page.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from typing import Any

import yaml
from infra.costs import usage
from infra.parameters import FOLDER, parameters, parsed
from infra.scaling.keda import Rule

MODULES = FOLDER / "modules"


@dataclass(frozen=True, slots=True)
class Worker:
    """One of the two apps that take messages."""

    cpu: float
    """vCPU of one replica."""
    concurrency: int
    """Items that one replica has in hand."""
    rule: Rule


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The placement endpoint. Azure ML keeps the instances that it is told; nothing scales them here."""

    instances: int
    concurrency: int
    """Requests that one instance works on at a time."""
    machine: str

    @property
    def at_work(self) -> int:
        """Requests that it works on at a time."""
        return self.instances * self.concurrency

    @property
    def most(self) -> int:
        """Requests that it has at a time; one more is answered 429."""
        return 2 * self.at_work


@dataclass(frozen=True, slots=True)
class Deployed:
    """One environment."""

    orchestrator: Worker
    export_worker: Worker
    endpoint: Endpoint


def deployed(environment: str) -> Deployed:
    """What `dev` or `prod` is."""
    has = parameters(environment)
    return Deployed(
        orchestrator=_worker(has, "orchestrator"),
        export_worker=_worker(has, "exportWorker"),
        endpoint=Endpoint(**has["scoring"], machine=usage(environment).endpoint_machine),
    )


def instance(file: str) -> tuple[str, int]:
    """Machine and number of instances that one of `azureml/`'s deployments names."""
    stated = yaml.safe_load((FOLDER.parent / "azureml" / file).read_text("utf-8"))
    return str(stated["instance_type"]), int(stated["instance_count"])


def _worker(has: Mapping[str, Any], app: str) -> Worker:
    scale = parsed(MODULES / "app.bicep")["resources"]["app"]["config"]["properties"]["template"]["scale"]
    given = parsed(MODULES / "apps.bicep")["modules"][app]["config"]["params"]
    (rule,) = given["scaleRules"]
    size = has["apps"][app]
    return Worker(
        cpu=float(size["cpu"]),
        concurrency=int(_value(_variable(given["env"], "OPAL_WORKER_CONCURRENCY"), has)),
        rule=Rule(
            messages_per_replica=int(_value(rule["custom"]["metadata"]["messageCount"], has)),
            least=size["minReplicas"],
            most=size["maxReplicas"],
            polling_s=float(scale["pollingInterval"]),
            cooldown_s=float(scale["cooldownPeriod"]),
        ),
    )


def _variable(env: Any, name: str) -> Any:
    """The value of an app's environment variable, wherever in ``concat()`` and its variables it stands."""
    found = [each["value"] for each in _listed(env) if each["name"] == name]
    assert len(found) == 1, f"{name} is set {len(found)} times"
    return found[0]


def _listed(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, str):
        return _listed(parsed(MODULES / "apps.bicep")["variables"][value]["value"])
    if isinstance(value, list):
        return value
    return [each for part in value["function"]["parameters"].values() for each in _listed(part)]


def _value(tree: Any, has: Mapping[str, Any]) -> Any:
    """What a parameter's property (`workers.orchestrator.concurrency`) is, or ``string()`` of one."""
    if "function" in tree:
        assert tree["function"]["type"] == "string", tree
        (tree,) = tree["function"]["parameters"].values()
    return reduce(getitem, _names(tree), has)


def _names(tree: Any) -> tuple[str, ...]:
    """`a.b.c` as the names in it."""
    if isinstance(tree, str):
        return (tree,)
    return tuple(name for operand in tree["operator"]["operands"].values() for name in _names(operand))
