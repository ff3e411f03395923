"""What OpenAPI says beyond what FastAPI finds out by itself: answers with examples, problems, tags."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel

from opal.http.problem import EXAMPLE_INSTANCE, MEDIA_TYPE
from opal.http.problem_model import Problem

TAGS: Final = (
    ("jobs", "Photos that are worked on together: create, follow, list, cancel."),
    ("uploads", "Short-lived URLs for photos, and the word that a photo is there."),
    ("review", "Judge pictures, have them revised, send again what failed."),
    ("backdrops", "Pictures of your own for products to stand in."),
    ("pictures", "Finished pictures with their reports, one by one or all in one ZIP."),
    ("remove.bg", "remove.bg's API v1.0 and rembg's server, for clients that change only the address."),
    ("webhooks", "Addresses of your own that are called when an item or a job gets somewhere."),
    ("delivery", "Folders, containers and buckets of your own that finished pictures are delivered to."),
    ("catalogue", "Scenes and presets to choose from."),
    ("credits", "What a tenant has and what it was spent on."),
    ("keys", "API keys of your own: what each may do, new ones, and their end."),
    ("operations", "For who runs Opal: services, queues and dead letters of all tenants, by their ids."),
    ("data", "All that a tenant has, deleted for good, with a receipt."),
    ("blobs", "Where signed URLs lead when pictures are kept in a folder. The signature is the key."),
    ("health", "Alive, ready, and in figures. Without a key."),
)


def answer(description: str, example: BaseModel, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The ``responses=`` entry of a route's success: a sentence, and an example valid by being made."""
    value = example.model_dump(mode="json")
    return {status: {"description": description, "content": {"application/json": {"example": value}}}}


def complete_document(app: FastAPI, extra_models: tuple[type[BaseModel], ...] = ()) -> None:
    """Make ``app`` describe its problems, its tags, and the ``extra_models`` that no body names."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            _add_schemas(document, (Problem, *extra_models))
            for path, operation in _operations(document):
                _name_the_path(operation, path)
                _leave_out_later_words(operation)
            used = {tag for _, operation in _operations(document) for tag in operation.get("tags", [])}
            document["tags"] = [{"name": name, "description": text} for name, text in TAGS if name in used]
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend OpenAPI


def _add_schemas(document: dict[str, Any], models: tuple[type[BaseModel], ...]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    # FastAPI's own error shape is never sent.
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for model in models:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
        for name, definition in schema.pop("$defs", {}).items():
            schemas.setdefault(name, definition)
        schemas[model.__name__] = schema


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            yield path, operation


def _name_the_path(operation: dict[str, Any], path: str) -> None:
    """Give every example of a problem the path at which it would be met."""
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            example = parameter["schema"].get("examples", [parameter["name"]])[0]
            path = path.replace("{" + parameter["name"] + "}", example)
    for response in operation["responses"].values():
        examples = response.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {})
        for example in examples.values():
            assert example["value"]["instance"] == EXAMPLE_INSTANCE
            example["value"]["instance"] = path


def _leave_out_later_words(operation: dict[str, Any]) -> None:
    """FastAPI describes event streams with a word of OpenAPI 3.2, which makes a 3.1 document invalid."""
    for response in operation["responses"].values():
        for content in response.get("content", {}).values():
            content.pop("itemSchema", None)
