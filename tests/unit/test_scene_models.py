"""The models of scene and placement explain themselves: a meaning and an example for every field."""

from typing import Any

import pytest
from docs.generate.scenes import parts, scene_models
from pydantic import BaseModel
from tests.project.source_tree import ROOT

from opal.placement.engines import ENGINES
from opal.placement.placement import Placement, resolve_placement
from opal.placement.scene import resolve_scene
from opal.web_api.recipe import placement_schema, scene_schema

MODELS: list[type[BaseModel]] = [*scene_models(), Placement]


def _fields() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (model.__name__, name, field)
        for model in MODELS
        for name, field in model.model_json_schema()["properties"].items()
    ]


def test_every_kind_that_an_engine_paints_has_a_model() -> None:
    assert {model.model_fields["kind"].default for model in scene_models()} == ENGINES.keys()


@pytest.mark.parametrize(("model", "name", "field"), _fields(), ids=lambda value: str(value)[:30])
def test_every_field_says_what_it_means_and_gives_examples(
    model: str, name: str, field: dict[str, Any]
) -> None:
    assert len(field.get("description", "")) > 10, f"{model}.{name} has no description"
    assert field.get("examples"), f"{model}.{name} has no example"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_example_is_valid_whole_and_field_by_field(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    kind = {} if model is Placement else {"kind": schema["properties"]["kind"]["const"]}
    resolve = resolve_placement if model is Placement else resolve_scene
    required = {name: schema["properties"][name]["examples"][0] for name in schema.get("required", [])}
    assert schema["examples"], f"{model.__name__} has no example"
    for example in schema["examples"]:
        resolve(example)
    for name, field in schema["properties"].items():
        for example in field["examples"]:
            resolve({**kind, **required, name: example})


def test_the_page_has_a_row_for_every_field_of_every_kind() -> None:
    """The rows are generated; this is what fails should somebody take a table off the page."""
    page = (ROOT / "docs" / "scenes.md").read_text("utf-8")
    assert all(part.strip() in page for part in parts().values())
    kinds = page.partition("## The kinds of scene")[2].partition("## The studio")[0]
    for model in scene_models():
        section = kinds.partition(f"### `{model.model_fields['kind'].default}`")[2].partition("### ")[0]
        for name in model.model_json_schema()["properties"]:
            assert f"\n| `{name}` | " in section, f"docs/scenes.md lacks {model.__name__}.{name}"
    placement = page.partition("## Placement")[2].partition("## Straightening")[0]
    for name in Placement.model_json_schema()["properties"]:
        assert f"\n| `{name}` | " in placement, f"docs/scenes.md lacks Placement.{name}"


def test_the_published_schemas_carry_descriptions_and_examples() -> None:
    names, *kinds = scene_schema()["anyOf"]
    assert "studio-white" in names["enum"]
    assert len(kinds) == len(scene_models())
    for schema in (*kinds, placement_schema()):
        assert schema["examples"]
        assert all("description" in field for field in schema["properties"].values())
