"""`--placement`: how the product stands, as JSON on the command line. Used by `opal process`."""

import json

from opal.errors import InvalidPlacement
from opal.placement.placement import Placement, resolve_placement


def parse_placement(text: str) -> Placement:
    """The placement that ``text`` describes. Raises ``InvalidPlacement``."""
    try:
        parsed = json.loads(text)
    except ValueError as error:
        raise InvalidPlacement(f"The placement is not valid JSON: {error}.") from error
    if not isinstance(parsed, dict):
        raise InvalidPlacement('The placement is not a JSON object such as {"margin": 0.1}.')
    return resolve_placement(parsed)
