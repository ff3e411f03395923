"""The parameter files, `dev.bicepparam` and `prod.bicepparam`, as Python values.

Called by `costs.py` and by tests/infra.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

from pycep import BicepParser

FOLDER = Path(__file__).parent
ENVIRONMENTS = ("dev", "prod")

# The parser knows Bicep but not its parameter files, which differ in two words.
_USING = re.compile(r"^using [^\n]*$", re.MULTILINE)
_PARAM = re.compile(r"^param (?=\w+ =)", re.MULTILINE)


# Loading the grammar takes longer than most files.
_parser = cache(BicepParser)


@cache
def parsed(path: Path) -> dict[str, Any]:
    """A Bicep file's syntax tree."""
    return dict(_parser().parse(text=path.read_text("utf-8")))


@cache
def parameters(environment: str) -> dict[str, Any]:
    """Each parameter's value; what is read from the environment or computed stays a syntax tree."""
    text = (FOLDER / f"{environment}.bicepparam").read_text("utf-8")
    tree: Any = _parser().parse(text=_PARAM.sub("var ", _USING.sub("", text)))
    return {name: variable["value"] for name, variable in tree["variables"].items()}
