"""What is wrong with a text is told in words, for every pattern that there is."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

import opal
from opal.destinations.places import Place
from opal.faults import first_fault, has_words, in_words
from opal.placement.scene import Scene
from opal.web_api.jobs import NewJob
from opal.web_api.webhooks import NewWebhook

FOLDER = {"kind": "folder"}
S3 = {"kind": "s3", "bucket": "acme", "access_key_id": "A"}


@pytest.mark.parametrize(
    ("kind", "data", "told"),
    [
        (NewWebhook, {"url": "ftp://x"}, "url: Should be an address that begins with https://"),
        (NewJob, {"items": [{"filename": "a\nb"}]}, "items.0.filename: Should be text without control"),
        (Place, FOLDER | {"folder": "../up"}, "folder.folder: Should be one to ten names with / between"),
        (Place, S3 | {"endpoint": "https://x?sig=1"}, "s3.endpoint: Should be an address that begins with"),
        (Place, S3 | {"bucket": "A_B"}, "s3.bucket: Should be 3 to 63 small letters"),
        (Scene, {"kind": "solid", "colour": "red"}, "solid.colour: Should be a colour such as #f4f1ec"),
    ],
)
def test_a_pattern_is_told_in_words(kind: Any, data: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(kind).validate_python(data)
    message = first_fault(refused.value, "body")
    assert message.startswith(told)
    assert "^" not in message


def test_every_models_every_pattern_has_words() -> None:
    for module in pkgutil.walk_packages(opal.__path__, "opal."):
        if not module.name.startswith(("opal.__main__", "opal.database.migrations")):
            importlib.import_module(module.name)
    patterns = {
        (model.__name__, pattern)
        for model in _models(BaseModel)
        for field in model.model_fields.values()
        for pattern in _patterns(TypeAdapter(field.rebuild_annotation()).core_schema)
    }
    assert ("NewWebhook", r"^https?://[^\x00-\x20\x7f]+$") in patterns
    assert not [found for found in patterns if not has_words(found[1])]


def test_a_pattern_has_one_meaning() -> None:
    with pytest.raises(ValueError, match="a colour"):
        in_words(r"^#[0-9a-fA-F]{6}$", "something else")


def _models(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in kind.__subclasses__():
        if each.__module__.startswith("opal."):
            yield each
        yield from _models(each)


def _patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if schema.get("type") == "str" and "pattern" in schema:
            yield schema["pattern"]
        for value in schema.values():
            yield from _patterns(value)
    elif isinstance(schema, list | tuple):
        for value in schema:
            yield from _patterns(value)
