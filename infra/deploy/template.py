"""Applies main.bicep: first what it would do, then it is done.

    python -m infra.deploy.template [--migration IMAGE] [--app IMAGE]

Images that are not given stay as they run, so applying never rolls one back by accident.
"""

import argparse
import json
import sys
from collections import Counter
from dataclasses import replace

from infra.deploy.azure_cli import AzureCli, DeploymentFailed, azure_cli
from infra.deploy.github import add_to_summary
from infra.deploy.target import Running, Target, running, target_of_environment


def apply(az: AzureCli, target: Target, wanted: Running) -> Counter[str]:
    """What-if, then apply; returns how many resources are made, changed and so on.

    Raises DeploymentFailed before anything was done when a resource would be deleted.
    """
    words = (
        "--name",
        "main",
        "--resource-group",
        target.group,
        "--parameters",
        f"infra/{target.environment}.bicepparam",
    )
    variables = {
        "OPAL_APP_IMAGE": wanted.app_image,
        "OPAL_MIGRATION_IMAGE": wanted.migration_image,
        "OPAL_ENDPOINT_TRAFFIC": json.dumps(dict(wanted.traffic)),
    }
    foreseen = az("deployment", "group", "what-if", *words, "--no-pretty-print", **variables)
    changes = foreseen.get("changes") or []
    lost = [change["resourceId"] for change in changes if change["changeType"] == "Delete"]
    if lost:
        raise DeploymentFailed(f"What-if would delete {', '.join(lost)}.")
    az("deployment", "group", "create", *words, "--mode", "Incremental", **variables)
    return Counter(change["changeType"] for change in changes)


def main(arguments: list[str]) -> int:
    """Apply for the environment of the workflow; a line for its summary."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--migration", default="")
    parser.add_argument("--app", default="")
    given = parser.parse_args(arguments)
    target = target_of_environment()
    now = running(azure_cli, target)
    wanted = replace(
        now,
        app_image=given.app or now.app_image,
        migration_image=given.migration or now.migration_image,
    )
    counts = apply(azure_cli, target, wanted)
    shown = ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items())) or "nothing"
    sys.stdout.write(f"Applied main.bicep: {shown}.\n")
    add_to_summary(f"- main.bicep: {shown}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
