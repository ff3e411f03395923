"""Starts the migration job and waits for its end.

python -m infra.deploy.migrate
"""

import sys
import time
from collections.abc import Callable

from infra.deploy.azure_cli import AzureCli, DeploymentFailed, azure_cli
from infra.deploy.target import Target, target_of_environment

_POLL_S = 5.0
# The job itself may take half an hour (modules/migration.bicep), and waits a while for its machine.
_LONGEST_S = 2400.0
_UNDER_WAY = {"Running", "Processing", "Unknown"}


def migrate(az: AzureCli, target: Target, sleep: Callable[[float], None] = time.sleep) -> str:
    """Run the job once; returns the execution's name. Raises DeploymentFailed when it fails or hangs."""
    job = ("--name", target.name("migration"), "--resource-group", target.group)
    execution: str = az("containerapp", "job", "start", *job)["name"]
    which = (*job, "--job-execution-name", execution)
    for _ in range(int(_LONGEST_S / _POLL_S)):
        status = az("containerapp", "job", "execution", "show", *which)["properties"]["status"]
        if status == "Succeeded":
            return execution
        if status not in _UNDER_WAY:
            raise DeploymentFailed(f"The migration {execution} ended as {status}; no app was changed.")
        sleep(_POLL_S)
    raise DeploymentFailed(f"The migration {execution} did not end within {_LONGEST_S:.0f} s.")


if __name__ == "__main__":
    sys.stdout.write(f"Migrated by {migrate(azure_cli, target_of_environment())}.\n")
