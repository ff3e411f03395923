"""Gives schemathesis what no schema can: ids that exist, and idempotency keys that were not used before.

Loaded by the schemathesis process through SCHEMATHESIS_HOOKS; OPAL_TEST_IDS holds the ids as JSON.
"""

import json
import os
import re
import uuid
import zlib
from typing import Any

import schemathesis
from schemathesis import GenerationMode

from opal.web_api.scene_previews import EXAMPLE_PHOTO

IDS: dict[str, str] = json.loads(os.environ.get("OPAL_TEST_IDS", "{}"))
TOML = """
channel = "our shop"
[[presets]]
name = "house-main"
title = "Our shop"
description = "On our grey."
width = 1200
height = 1200
format = "jpeg"
ground = "white"
fill = 0.8
"""
_BACKDROP = re.compile(r"backdrop_[0-9a-f]{24}")
_KEY = re.compile(r"[!-~]{1,255}")


@schemathesis.hook  # type: ignore[untyped-decorator]  # schemathesis ships no types we follow
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    for place in (case.path_parameters, case.body):
        if isinstance(place, dict):
            _give_ids(place, always=case.operation.path.endswith("/events"))
    if isinstance(case.query, dict):
        _fit_take(case.query)
    if case.meta.generation.mode is GenerationMode.POSITIVE and isinstance(case.body, dict):
        _fit_presets(case.body)
        if case.operation.path.endswith("/revisions"):
            _fit_scene(case.body)
            _fit_engine(case.body)
        if case.operation.path.endswith("/scenes/previews"):
            _fit_previews(case.body)
        _fit_address(case.body)
        _fit_destination(case.body)
        if set(case.body) == {"width", "height"}:
            # Only the size of the photo in finished_job.py is not rightly refused.
            case.body.update(width=400, height=300)
        if "photo" in case.body and case.body["photo"] not in ("same", "new"):
            # No schema says what a picture is.
            case.body["photo"] = EXAMPLE_PHOTO
        if "toml" in case.body:
            # No schema says what the TOML of a preset is, nor which names everyone's presets have.
            case.path_parameters["name"] = "house-main"
            case.body["toml"] = TOML
    key = (case.headers or {}).get("idempotency-key")
    # Two examples with one key and different bodies are rightly refused; that has tests of its own.
    if case.meta.generation.mode is GenerationMode.POSITIVE and isinstance(key, str) and _KEY.fullmatch(key):
        case.headers["idempotency-key"] = uuid.uuid4().hex


def _fit_take(query: dict[str, Any]) -> None:
    """Each may be so long, but not both with every letter spelt out: an address has 8 KiB."""
    items, presets = query.get("items"), query.get("preset")
    if isinstance(items, str) and len(items) > 7000:
        query["items"] = "1" * 7001
    elif isinstance(items, str) and len(items) > 2000:
        query["items"] = "1-40"
    if isinstance(presets, list) and len(presets) > 10:
        query["preset"] = ["x"] * len(presets)


def _fit_presets(body: dict[str, Any]) -> None:
    """Names of nothing are rightly refused, and JPEGs of a transparent scene; both have own tests."""
    if "items" in body or body.get("presets"):
        body["presets"] = ["cutout-png"]


def _fit_scene(body: dict[str, Any]) -> None:
    """Transparency is rightly refused for an item whose presets are JPEGs; that has tests of its own."""
    scene = body.get("scene")
    if scene == "transparent" or (isinstance(scene, dict) and scene.get("kind") == "transparent"):
        body["scene"] = "studio-white"


def _fit_engine(body: dict[str, Any]) -> None:
    """Names of no engine are rightly refused, and one beside a matte; both have own tests."""
    if isinstance(body.get("engine"), str):
        body.update(engine="isnet", matte=None)


def _fit_previews(body: dict[str, Any]) -> None:
    """Two scenes at most: each is really made, and what is looked at here are requests and answers."""
    scenes = body.get("scenes", ["white"])
    if isinstance(scenes, list):
        body["scenes"] = scenes[:2]


def _fit_address(body: dict[str, Any]) -> None:
    """Made-up hosts are rightly refused, as nobody can find them; that has tests of its own."""
    if "url" in body:
        body["url"] = "http://127.0.0.1:1/hook"


def _fit_destination(body: dict[str, Any]) -> None:
    """Made-up stores are rightly refused, and templates that keep no products apart; both have own tests."""
    if "destination" in body:
        body["destination"] = {"kind": "folder", "folder": "shop"}
    if "template" in body:
        body["template"] = "{name}.{ext}"


def _give_ids(place: dict[str, Any], *, always: bool) -> None:
    """Half of the made-up ids become real ones, the rest stay to be not found.

    ``always`` for event streams: schemathesis remembers jobs that it made, which never end.
    """
    made_up = str([place.get(name) for name in IDS])
    if always or zlib.crc32(made_up.encode("utf-8", "replace")) % 2:
        place.update({name: value for name, value in IDS.items() if isinstance(place.get(name), str)})
    # The form alone would always be an unknown backdrop.
    scene = place.get("scene")
    if isinstance(scene, dict) and _BACKDROP.fullmatch(str(scene.get("picture"))):
        scene["picture"] = IDS.get("backdrop_id", scene["picture"])
