"""`--placement`: JSON to a placement, and what is said of anything else."""

import pytest

from opal.cli.placement_option import parse_placement
from opal.errors import InvalidPlacement
from opal.placement.placement import Placement


def test_json_becomes_a_placement() -> None:
    assert parse_placement("{}") == Placement()
    assert parse_placement('{"straighten": true, "margin": 0.2}') == Placement(straighten=True, margin=0.2)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("straighten", "not valid JSON"),
        ("[1]", "not a JSON object"),
        ('"margin"', "not a JSON object"),
        ('{"a":' * 20_000 + "1" + "}" * 20_000, "nested too deeply"),
        ('{"margin": ' + "9" * 5000 + "}", "too many digits"),
        ('{"margin": ' + "9" * 400 + "}", "margin"),
        ('{"margin": 2}', r"margin: Input should be less than"),
        ('{"straigten": true}', "straigten: Extra inputs"),
    ],
)
def test_what_is_no_placement_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidPlacement, match=reason):
        parse_placement(text)
