"""Says how the environment is: four apps running, an endpoint that answers a photo, no dead letters.

    python -m infra.deploy.summary

Writes a table into the run's summary; exit code 1 when something is not as it should be.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from infra.deploy.azure_cli import AzureCli, DeploymentFailed, azure_cli, found
from infra.deploy.endpoint import live_colour
from infra.deploy.github import add_to_summary, mask_in_log
from infra.deploy.smoke import scoring_smoke
from infra.deploy.target import APPS, Target, outputs, target_of_environment

QUEUES = ("jobs", "exports")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the summary."""

    what: str
    shown: str
    good: bool


def findings(az: AzureCli, target: Target, ask_endpoint: Callable[[], float]) -> list[Finding]:
    """Everything that is looked at, in order; ``ask_endpoint`` scores a photo and gives the seconds."""
    return [*_apps(az, target), _endpoint(az, target, ask_endpoint), *_queues(az, target)]


def _apps(az: AzureCli, target: Target) -> Iterator[Finding]:
    for app in APPS:
        name = target.name(app)
        shown = found(az, "containerapp", "show", "--name", name, "--resource-group", target.group)
        if shown is None:
            yield Finding(name, "not there", False)
            continue
        has = shown["properties"]
        ready = has.get("latestReadyRevisionName")
        good = has.get("runningStatus") in ("Running", "Ready") and ready == has.get("latestRevisionName")
        yield Finding(name, f"{has.get('runningStatus')}, ready: {ready}", good)


def _endpoint(az: AzureCli, target: Target, ask: Callable[[], float]) -> Finding:
    name = target.name("sd-placement")
    shown = found(az, "ml", "online-endpoint", "show", *target.endpoint)
    if shown is None:
        return Finding(name, "not there", False)
    state = f"{shown['provisioning_state']}, traffic: {live_colour(shown.get('traffic') or {}) or 'none'}"
    try:
        took = ask()
    except DeploymentFailed as error:
        # What `az` says may have lines, a table's cell has one.
        return Finding(name, f"{state}. {str(error).splitlines()[0]}", False)
    good = shown["provisioning_state"] == "Succeeded"
    return Finding(name, f"{state}, a photo in {took:.1f} s", good)


def _queues(az: AzureCli, target: Target) -> Iterator[Finding]:
    namespace = outputs(az, target)["servicebusName"]
    where = ("--namespace-name", namespace, "--resource-group", target.group)
    for queue in QUEUES:
        counts = az("servicebus", "queue", "show", "--name", queue, *where)["countDetails"]
        waiting, dead = counts["activeMessageCount"], counts["deadLetterMessageCount"]
        yield Finding(f"queue {queue}", f"{waiting} waiting, {dead} dead", dead == 0)


def written(target: Target, found_: list[Finding]) -> str:
    """The findings as Markdown."""
    rows = "\n".join(f"| {'✅' if each.good else '❌'} | {each.what} | {each.shown} |" for each in found_)
    return f"## {target.environment}\n\n| | | |\n|---|---|---|\n{rows}\n"


def main() -> int:
    """Look, and say it in the summary and in the log."""
    target = target_of_environment()
    all_found = findings(azure_cli, target, lambda: scoring_smoke(azure_cli, target, mask_in_log)(None))
    text = written(target, all_found)
    add_to_summary(text)
    sys.stdout.write(text)
    return 0 if all(each.good for each in all_found) else 1


if __name__ == "__main__":
    sys.exit(main())
