"""JSON objects on the command line and in its files: placements, scenes, destinations."""

import json
from typing import Any

from opal.errors import InvalidInput


def parse_json_object(text: str, where: str, refused: type[InvalidInput]) -> dict[str, Any]:
    """The object that ``text`` describes; ``where`` begins the sentence of what is wrong with it.

    Raises ``refused``, in one line, whatever the text is.
    """
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError as error:
        raise refused(f"{where} is not valid JSON: {error}.") from error
    except RecursionError as error:
        raise refused(f"{where} is not valid JSON: it is nested too deeply.") from error
    except ValueError as error:
        # Python reads whole numbers of up to 4300 digits.
        raise refused(f"{where} is not valid JSON: a number in it has too many digits.") from error
    if not isinstance(parsed, dict):
        raise refused(f"{where} is not a JSON object.")
    return parsed
