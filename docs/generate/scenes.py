"""docs/scenes.md from the models of scene and placement: every field, its values, default and an example."""

import json
from typing import Any, get_args

from docs.generate.regions import code, table
from pydantic import BaseModel

from opal.placement.placement import Placement
from opal.placement.scene import Scene

_HEADER = ("Field", "Meaning", "Values", "Default", "Example")


def scene_models() -> list[type[BaseModel]]:
    """The model of every kind of scene, in the order in which they are tried."""
    union = get_args(Scene)[0]
    return list(get_args(union))


def parts() -> dict[str, str]:
    """The generated parts of the page."""
    kinds = [
        f"### {code(model.model_fields['kind'].default)}\n\n{' '.join((model.__doc__ or '').split())}\n\n"
        f"{_examples(model)}\n\n{_fields(model)}"
        for model in scene_models()
    ]
    return {
        "kinds": "\n\n".join(kinds),
        "placement": f"{_examples(Placement)}\n\n{_fields(Placement)}",
    }


def _examples(model: type[BaseModel]) -> str:
    # From the model itself: its JSON Schema puts their keys in alphabetical order.
    extra = model.model_config.get("json_schema_extra")
    examples = extra.get("examples", []) if isinstance(extra, dict) else []
    assert isinstance(examples, list), "examples are a list"
    return "\n".join(("```json", *(json.dumps(example) for example in examples), "```"))


def _fields(model: type[BaseModel]) -> str:
    rows = [
        (
            code(name),
            field.get("description", ""),
            _values(field),
            _default(field),
            code(json.dumps(field["examples"][0])) if "examples" in field else "",
        )
        for name, field in model.model_json_schema()["properties"].items()
    ]
    return table(_HEADER, rows)


def _values(field: dict[str, Any]) -> str:
    # A field that may be left out is its own type or null; nobody needs to write the null.
    kind = next((each for each in field.get("anyOf", [field]) if each.get("type") != "null"), field)
    if "const" in kind:
        return code(json.dumps(kind["const"]))
    if "enum" in kind:
        return ", ".join(code(json.dumps(choice)) for choice in kind["enum"])
    if kind.get("type") == "boolean":
        return "`true`, `false`"
    bounds = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
    said = [f"{sign} {kind[name]}".removesuffix(".0") for name, sign in bounds if name in kind]
    if kind.get("type") == "integer":
        return ", ".join(["whole number", *said])
    return ", ".join(said) or {"string": "text"}.get(kind["type"], kind["type"])


def _default(field: dict[str, Any]) -> str:
    if "default" not in field:
        return "required"
    return "left out" if field["default"] is None else code(json.dumps(field["default"]))
