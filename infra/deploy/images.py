"""Which images belong in this environment, by digest: built just now, promoted, or those that run.

python -m infra.deploy.images                  lines for $GITHUB_OUTPUT, from SERVER, BUILT_* and TRIED_*
python -m infra.deploy.images --running-app    the app's image that runs
"""

import os
import sys

from infra.deploy.azure_cli import AzureCli, azure_cli, found
from infra.deploy.endpoint import live_colour
from infra.deploy.promote import promote
from infra.deploy.target import Target, running, target_of_environment


def wanted_image(az: AzureCli, target: Target, *, built: str, tried: str, runs: str) -> str:
    """The image to deploy, each empty where there is none; ``tried`` is that of the environment before."""
    return promote(az, target, tried) if tried else built or runs


def running_scoring_image(az: AzureCli, target: Target) -> str:
    """The image behind the endpoint's traffic, empty where there is none."""
    endpoint = found(az, "ml", "online-endpoint", "show", *target.endpoint)
    colour = live_colour((endpoint or {}).get("traffic") or {})
    if colour is None:
        return ""
    environment: str = az("ml", "online-deployment", "show", *target.deployment(colour))["environment"]
    # azureml:opal-scoring:VERSION, or the whole id, …/environments/opal-scoring/versions/VERSION.
    version = environment.replace("/", ":").rpartition(":")[2]
    described = ("--name", "opal-scoring", "--version", version, *target.workspace)
    image: str = az("ml", "environment", "show", *described)["image"]
    return image


def main(arguments: list[str]) -> int:
    """Print what the workflow asks for."""
    target = target_of_environment()
    runs = running(azure_cli, target).app_image
    if arguments == ["--running-app"]:
        sys.stdout.write(f"{runs}\n")
        return 0
    for part, present in (("app", runs), ("scoring", running_scoring_image(azure_cli, target))):
        digest, tried = os.environ[f"BUILT_{part.upper()}"], os.environ[f"TRIED_{part.upper()}"]
        built = f"{os.environ['SERVER']}/opal-{part}@{digest}" if digest else ""
        image = wanted_image(azure_cli, target, built=built, tried=tried, runs=present)
        sys.stdout.write(f"{part}={image}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
