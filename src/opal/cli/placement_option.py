"""`--placement`: how the product stands, as JSON on the command line. Used by `opal process`."""

from opal.cli.json_option import parse_json_object
from opal.errors import InvalidPlacement
from opal.placement.placement import Placement, resolve_placement


def parse_placement(text: str) -> Placement:
    """The placement that ``text`` describes. Raises ``InvalidPlacement``."""
    return resolve_placement(parse_json_object(text, "The placement", InvalidPlacement))
