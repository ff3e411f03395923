"""A preset written down again, in the form of the files it is read from. Called by the console's form."""

import json
import re
from datetime import date
from typing import Final

from opal.marketplaces.presets import Preset, promised_rules

_IN_FAULT: Final = re.compile(r"\bpresets\.0\.(?:rules\.(?P<number>\d+)\.?)?(?P<key>\w+)?")
_TABLE: Final = re.compile(r"\s*\[\[\s*presets\.rules\s*\]\]")


def preset_toml(preset: Preset, name: str | None = None) -> str:
    """TOML that `read_own_preset` reads as this preset, under another ``name`` if one is given.

    Rules that follow from the preset's own keys are left out: they would contradict the keys once these are
    changed.
    """
    keys = preset.model_dump(exclude_defaults=True, exclude={"rules", "channel"})
    keys["name"] = name or preset.name
    promised = promised_rules(preset)
    lines = [f"channel = {_value(preset.channel)}", "", "[[presets]]", *_pairs(keys)]
    for rule in preset.rules:
        if rule not in promised:
            lines += ["", "[[presets.rules]]", *_pairs(rule.model_dump(exclude_defaults=True))]
    return "\n".join(lines) + "\n"


def line_of_fault(toml: str, fault: str) -> int | None:
    """The line, from 1, of the key that `InvalidPreset` names; None where that cannot be said."""
    found = _IN_FAULT.search(fault)
    if found is None:
        return None
    lines = toml.splitlines()
    begins, ends = 0, len(lines)
    if found["number"] is not None:
        tables = [number for number, line in enumerate(lines) if _TABLE.match(line)]
        if int(found["number"]) >= len(tables):
            return None
        begins = tables[int(found["number"])]
        ends = next((each for each in tables if each > begins), len(lines))
    key = re.compile(rf"\s*{found['key']}\s*=") if found["key"] else _TABLE
    return next((number + 1 for number in range(begins, ends) if key.match(lines[number])), None)


def _pairs(values: dict[str, object]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in values.items() if value is not None]


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case int() | float() | date():
            return str(value)
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            return f"{{ {', '.join(_pairs(value))} }}"
        case _:
            # TOML's strings are JSON's, but for one sign that JSON leaves alone.
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007F")
