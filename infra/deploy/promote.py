"""Copies images that were tried in one environment into this environment's registry, by digest.

Called by `images.py`. An image of this registry is left alone; a copy is made again over itself.
"""

from infra.deploy.azure_cli import AzureCli, DeploymentFailed
from infra.deploy.target import Target, outputs


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
