"""Puts a new deployment behind the placement endpoint, blue beside green, and takes it back when it fails.

    python -m infra.deploy.endpoint --image IMAGE --file azureml/deployment-stub.yml

The new colour is asked alone first, then with a tenth of the traffic, then with all of it. When one of these
fails, the old colour has all traffic again and the new one is gone.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from infra.deploy.azure_cli import AzureCli, DeploymentFailed, azure_cli, found
from infra.deploy.github import mask_in_log
from infra.deploy.smoke import scoring_smoke
from infra.deploy.target import Target, outputs, target_of_environment

COLOURS = ("blue", "green")

Smoke: TypeAlias = Callable[[str | None], float]
"""Scores one photo, on the deployment of that name or where the traffic goes; gives the seconds it took.

Raises DeploymentFailed when the answer is not a picture.
"""

# Requests with a tenth of the traffic: the new colour gets none of them in one try of eight.
_TRIES_IN_TRAFFIC = 20


def release(az: AzureCli, target: Target, image: str, file: str, smoke: Smoke) -> str:
    """Deploy ``image`` under the free colour and return it. Raises DeploymentFailed after taking it back."""
    has = outputs(az, target)
    live = live_colour(az("ml", "online-endpoint", "show", *target.endpoint).get("traffic") or {})
    new = COLOURS[1] if live == COLOURS[0] else COLOURS[0]
    which = target.deployment(new)
    if found(az, "ml", "online-deployment", "show", *which) is not None:
        # Left behind by a run that was broken off; it has no traffic.
        az("ml", "online-deployment", "delete", *which, "--yes")
    settings = (
        f"endpoint_name={target.name('sd-placement')}",
        f"environment={_environment(az, target, image)}",
        *(f"{place}={number}" for place, number in numbers(has).items()),
    )
    try:
        az("ml", "online-deployment", "create", *which, "--file", file, "--set", *settings)
        smoke(new)
        if live is not None:
            _share(az, target, {live: 90, new: 10})
            for _ in range(_TRIES_IN_TRAFFIC):
                smoke(None)
        _share(az, target, _all_to(new, live))
        smoke(None)
    except DeploymentFailed as error:
        _take_back(az, target, which, live)
        raise DeploymentFailed(
            f"{new} was taken back, {live or 'nothing'} has the traffic: {error}"
        ) from error
    if live is not None:
        az("ml", "online-deployment", "delete", *target.deployment(live), "--yes")
    return new


def numbers(has: Mapping[str, Any]) -> dict[str, str]:
    """What a deployment takes from main.bicep's outputs, by the place in its YAML."""
    instances, concurrency = str(has["endpointInstances"]), str(has["endpointConcurrency"])
    return {
        "instance_count": instances,
        "environment_variables.OPAL_SCORING_CONCURRENCY": concurrency,
        "request_settings.max_concurrent_requests_per_instance": concurrency,
    }


def live_colour(traffic: Mapping[str, int]) -> str | None:
    """The deployment with most of the traffic; None where nothing has any."""
    most = max(traffic, key=lambda name: traffic[name], default=None)
    return most if most is not None and traffic[most] > 0 else None


def _environment(az: AzureCli, target: Target, image: str) -> str:
    """Azure ML's name for ``image``, made when it is new: a version per digest, as versions never change."""
    _, _, digest = image.partition("@sha256:")
    if not digest:
        raise DeploymentFailed(f"{image} does not name a digest.")
    which = ("--name", "opal-scoring", "--version", digest[:20])
    if found(az, "ml", "environment", "show", *which, *target.workspace) is None:
        described = ("--file", "azureml/environment.yml", "--set", f"image={image}")
        az("ml", "environment", "create", *which, *target.workspace, *described)
    return f"azureml:opal-scoring:{digest[:20]}"


def _all_to(colour: str, other: str | None) -> dict[str, int]:
    return {colour: 100} if other is None else {other: 0, colour: 100}


def _share(az: AzureCli, target: Target, traffic: Mapping[str, int]) -> None:
    shares = " ".join(f"{name}={percent}" for name, percent in traffic.items())
    az("ml", "online-endpoint", "update", *target.endpoint, "--traffic", shares)


def _take_back(az: AzureCli, target: Target, which: tuple[str, ...], live: str | None) -> None:
    """The old colour first: it must have the traffic even when nothing more succeeds."""
    new = which[1]
    there: Any = found(az, "ml", "online-deployment", "show", *which)
    if live is not None:
        _share(az, target, {live: 100, new: 0} if there else {live: 100})
    elif there:
        _share(az, target, {new: 0})
    if there:
        az("ml", "online-deployment", "delete", *which, "--yes")


def main(arguments: list[str]) -> int:
    """Release for the environment of the workflow."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--image", required=True)
    parser.add_argument("--file", required=True)
    given = parser.parse_args(arguments)
    target = target_of_environment()
    smoke = scoring_smoke(azure_cli, target, mask_in_log)
    colour = release(azure_cli, target, given.image, given.file, smoke)
    sys.stdout.write(f"{colour} has all of the endpoint's traffic.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
