"""Gives the deployment behind the endpoint's traffic the numbers of the parameters, where they differ.

    python -m infra.deploy.scale

`endpoint.py` makes a new colour with them; this is for parameters that changed alone.
"""

import sys
from collections.abc import Mapping
from functools import reduce
from typing import Any

from infra.deploy.azure_cli import AzureCli, azure_cli
from infra.deploy.endpoint import live_colour, numbers
from infra.deploy.target import Target, outputs, target_of_environment


def scale(az: AzureCli, target: Target) -> dict[str, str]:
    """What was changed, by its place in the deployment; nothing where all is right or nothing runs."""
    live = live_colour(az("ml", "online-endpoint", "show", *target.endpoint).get("traffic") or {})
    if live is None:
        return {}
    shown = az("ml", "online-deployment", "show", *target.deployment(live))
    wanted = numbers(outputs(az, target))
    changed = {place: number for place, number in wanted.items() if _at(shown, place) != number}
    if changed:
        settings = (f"{place}={number}" for place, number in changed.items())
        az("ml", "online-deployment", "update", *target.deployment(live), "--set", *settings)
    return changed


def _at(shown: Any, place: str) -> str:
    def inner(outer: Mapping[str, Any], name: str) -> Any:
        return outer.get(name) or {}

    return str(reduce(inner, place.split("."), shown))


if __name__ == "__main__":
    done = scale(azure_cli, target_of_environment())
    words = ", ".join(f"{place} is {number} now" for place, number in done.items())
    sys.stdout.write(f"The placement endpoint: {words or 'as the parameters say'}.\n")
