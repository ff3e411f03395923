"""Copies images that were tried in one environment into this environment's registry, by digest.

    python -m infra.deploy.promote IMAGE...

prints each as it is called here. An image that is here already is left alone.
"""

import sys

from infra.deploy.azure_cli import AzureCli, DeploymentFailed, azure_cli
from infra.deploy.target import Target, outputs, target_of_environment


def promote(az: AzureCli, target: Target, image: str) -> str:
    """The image's name in this registry. Raises DeploymentFailed for one that is not named by its digest."""
    server, _, path = image.partition("/")
    repository, _, digest = path.partition("@")
    if not digest.startswith("sha256:"):
        raise DeploymentFailed(f"{image} does not name a digest.")
    here = outputs(az, target)
    if server != here["registryServer"]:
        # A tag keeps the image from being cleared away as untagged.
        name = f"{repository}:{digest.removeprefix('sha256:')[:20]}"
        az("acr", "import", "--name", here["registryName"], "--source", image, "--image", name, "--force")
    return f"{here['registryServer']}/{repository}@{digest}"


if __name__ == "__main__":
    for each in sys.argv[1:]:
        sys.stdout.write(f"{promote(azure_cli, target_of_environment(), each)}\n")
