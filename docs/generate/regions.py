"""Pages with generated parts: prose is written by hand, what the code knows is filled in between two marks.

    <!-- begin generated: NAME (make docs) -->
    ...
    <!-- end generated -->

Called by `__main__.py` and by tests/project/test_generated_docs.py.
"""

import re
from collections.abc import Mapping, Sequence

_REGION = re.compile(
    r"^(?P<begin><!-- begin generated: (?P<name>[^\n]+?) \(make docs\) -->)\n"
    r".*?^(?P<end><!-- end generated -->)$",
    re.DOTALL | re.MULTILINE,
)


def fill(page: str, parts: Mapping[str, str]) -> str:
    """The page with every part between its marks.

    Raises ValueError when the page lacks marks for a part, or has marks for a part that there is not.
    """
    names = [match["name"] for match in _REGION.finditer(page)]
    if sorted(names) != sorted(parts):
        missing, unknown = sorted(set(parts) - set(names)), sorted(set(names) - set(parts))
        raise ValueError(f"no marks for {missing}, marks for nothing {unknown}, all marks {names}")
    return _REGION.sub(lambda m: f"{m['begin']}\n\n{parts[m['name']].strip()}\n\n{m['end']}", page)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; a line break or a bar in a cell would end it, so both are escaped."""
    lines = [_line(header), "|" + "---|" * len(header), *(_line(row) for row in rows)]
    return "\n".join(lines)


def code(text: object) -> str:
    """``text`` set as code."""
    return f"`{text}`"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
