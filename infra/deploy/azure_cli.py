"""The `az` program as the deployment's scripts ask it; a parameter of each, so that tests can answer."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from typing import Any, TypeAlias

AzureCli: TypeAlias = Callable[..., Any]
"""Takes the words after `az`, and variables for parameter files; gives what it answers as JSON, else None."""

# `ERROR: (ResourceNotFound) The Resource …`
_CODE = re.compile(r"^(?:ERROR: )?\((\w+)\)", re.MULTILINE)
_ABSENT = {"NotFound", "ResourceNotFound", "ParentResourceNotFound"}
# Azure ML gives this one the code of every mistake.
_NO_ENVIRONMENT = "(UserError) No environment exists for name"


class DeploymentFailed(Exception):
    """A step did not come to its end. The message is for the log: no secret is ever in it."""


class AzureRefused(DeploymentFailed):
    """`az` ended with an error, ``said`` on its error stream."""

    def __init__(self, command: str, said: str) -> None:
        super().__init__(f"{command}: {said.strip()[-2000:]}")
        code = _CODE.search(said)
        # Words alone prove nothing: "(not found)" is in Key Vault's Forbidden too.
        self.absent = (code is not None and code[1] in _ABSENT) or _NO_ENVIRONMENT in said


def azure_cli(*words: str, **variables: str) -> Any:
    """Run `az`. Raises AzureRefused with what it said; secrets are never among ``words``."""
    command = ["az", *words, "--output", "json", "--only-show-errors"]
    environment = {**os.environ, **variables}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603
    if done.returncode:
        raise AzureRefused(f"az {' '.join(words[:3])}", done.stderr)
    return json.loads(done.stdout) if done.stdout.strip() else None


def found(az: AzureCli, *words: str) -> Any:
    """The same for what may not be there yet: None where it is not, by the error's code."""
    try:
        return az(*words)
    except AzureRefused as error:
        if error.absent:
            return None
        raise
