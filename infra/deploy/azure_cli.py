"""The `az` program as the deployment's scripts ask it; a parameter of each, so that tests can answer."""

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any, TypeAlias

AzureCli: TypeAlias = Callable[..., Any]
"""Takes the words after `az`, and variables for parameter files; gives what it answers as JSON, else None."""


class DeploymentFailed(Exception):
    """A step did not come to its end. The message is for the log: no secret is ever in it."""


def azure_cli(*words: str, **variables: str) -> Any:
    """Run `az`. Raises DeploymentFailed with what it said; secrets are never among ``words``."""
    command = ["az", *words, "--output", "json", "--only-show-errors"]
    environment = {**os.environ, **variables}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603
    if done.returncode:
        raise DeploymentFailed(f"az {' '.join(words[:3])}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout) if done.stdout.strip() else None


def found(az: AzureCli, *words: str) -> Any:
    """The same for what may not be there yet: None where it is not."""
    try:
        return az(*words)
    except DeploymentFailed as error:
        if any(
            word in str(error) for word in ("NotFound", "not found", "could not be found", "does not exist")
        ):
            return None
        raise
