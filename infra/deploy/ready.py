"""Waits until the newest revision of every app is ready: until then, the one before it still answers.

python -m infra.deploy.ready
"""

import sys
import time
from collections.abc import Callable

from infra.deploy.azure_cli import AzureCli, DeploymentFailed, azure_cli
from infra.deploy.target import APPS, Target, target_of_environment

_POLL_S = 5.0
# A new image is pulled, and a start-up probe has its tries (modules/app.bicep).
_LONGEST_S = 900.0


def wait_until_ready(az: AzureCli, target: Target, sleep: Callable[[float], None] = time.sleep) -> None:
    """Raises DeploymentFailed, with those that are not, when it takes longer than a quarter of an hour."""
    waiting = list(APPS)
    for _ in range(int(_LONGEST_S / _POLL_S)):
        waiting = [app for app in waiting if not _is_ready(az, target, app)]
        if not waiting:
            return
        sleep(_POLL_S)
    raise DeploymentFailed(f"After {_LONGEST_S:.0f} s the newest is not ready of {', '.join(waiting)}.")


def _is_ready(az: AzureCli, target: Target, app: str) -> bool:
    shown = az("containerapp", "show", "--name", target.name(app), "--resource-group", target.group)
    has = shown["properties"]
    return bool(has["latestRevisionName"] == has.get("latestReadyRevisionName"))


if __name__ == "__main__":
    wait_until_ready(azure_cli, target_of_environment())
    sys.stdout.write("The newest revision of every app is ready.\n")
