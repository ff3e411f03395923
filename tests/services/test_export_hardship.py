"""Mattes and presets that ask for trouble, through the export-worker: whole pictures, or one clear code.

Canvases are small, so that a case costs little.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import update
from tests.services.pipeline_world import GRANTED, HEIGHT, WIDTH, World, delivery, world_in

from opal.database import tables, variants
from opal.database.variants import VariantRow
from opal.export_worker.app import build_stage
from opal.images.finished import read_finished
from opal.images.matte import encode_matte
from opal.items.item import Item
from opal.items.states import ItemState
from opal.marketplaces.presets import Preset, load_presets
from opal.messages.export_message import ExportMessage
from opal.worker.settlement import Done

SHIPPED = load_presets()
RULES = {rule.rule: rule for rule in SHIPPED["amazon-main"].rules}
KEPT = (RULES["background_border"], RULES["fill_share"], RULES["clearance"], RULES["upscaling"])
WHITE = SHIPPED["amazon-main"].model_copy(
    update={"name": "on-white", "width": 240, "height": 200, "rules": KEPT}
)
SHOWN = SHIPPED["square-1x1"].model_copy(
    update={"name": "in-scene", "width": 200, "height": 240, "rules": KEPT[2:]}
)
ALONE = SHIPPED["cutout-png"].model_copy(update={"name": "alone"})
THREE = (WHITE, SHOWN, ALONE)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_in(tmp_path) as world:
        yield world


async def exported(world: World, item: Item, *presets: Preset) -> dict[str, VariantRow]:
    """Deliver the item once, with these presets as its tenant's own; the rows that came of it."""
    async with world.parts.database.transaction() as connection:
        own = [preset.model_dump(mode="json", exclude_defaults=True) for preset in presets]
        names = [preset.name for preset in presets]
        await connection.execute(update(tables.jobs).values(presets=names, own_presets=own))
    assert await build_stage(world.parts).handle(ExportMessage.of(item), delivery()) == Done()
    async with world.parts.database.read() as connection:
        rows = await variants.list_variants(connection, item.id)
    for row in rows:
        data = await world.parts.blobs.read("exports", row.path)
        file = read_finished(data)
        assert (file.width, file.height, file.bytes) == (row.width, row.height, row.bytes)
    return {row.preset: row for row in rows}


def rule(row: VariantRow, name: str) -> dict[str, Any]:
    [found] = [result for result in row.compliance if result["rule"] == name]
    return dict(found)


def window(top: int, bottom: int, left: int, right: int) -> NDArray[np.float32]:
    """A product that takes these rows and columns of the photo."""
    matte = np.zeros((HEIGHT, WIDTH), np.float32)
    matte[top:bottom, left:right] = 1.0
    return matte


MATTES: dict[str, NDArray[np.float32]] = {
    "all of the photo": window(0, HEIGHT, 0, WIDTH),
    "touches every edge": np.maximum(window(90, 110, 0, WIDTH), window(0, HEIGHT, 70, 90)),
    "cut by the lower edge": window(120, HEIGHT, 40, 120),
    "cut by the left edge": window(60, 140, 0, 50),
    "one row high": window(100, 101, 10, 150),
    "one column wide": window(10, 190, 80, 81),
    "two corners": np.maximum(window(0, 12, 0, 12), window(188, HEIGHT, 148, WIDTH)),
    "faint all over": np.maximum(window(60, 140, 40, 120), np.float32(0.03)),
}


async def test_whatever_the_matte_shows_every_picture_is_whole(world: World) -> None:
    for name, matte in MATTES.items():
        item = await world.completed(encode_matte(matte), scene="studio-warm")
        rows = await exported(world, item, *THREE)
        assert set(rows) == {preset.name for preset in THREE}, name
        assert (await world.item(item.id)).state is ItemState.EXPORTED
        for row in rows.values():
            # However it met the photo's edge, on the picture it is clear of it.
            assert rule(row, "clearance")["passed"], (name, row.preset, rule(row, "clearance"))
            assert row.fidelity is not None
            assert not row.fidelity["altered"], (name, row.preset, row.fidelity)
        border = rule(rows["on-white"], "background_border")
        assert border["measured"] == "255,255,255", name
        assert border["fixed"].startswith("background replaced by pure white; in the photo it is"), name


@pytest.mark.parametrize(
    ("matte", "code"),
    [
        (window(0, 0, 0, 0), "no_product_found"),
        (window(0, HEIGHT, 0, WIDTH) * np.float32(0.2), "no_product_found"),
        (window(90, 100, 70, 80), "product_too_small"),
    ],
    ids=["empty", "nothing solid", "ten pixels"],
)
async def test_what_is_no_product_is_a_code_a_refund_and_no_picture(
    world: World, matte: NDArray[np.float32], code: str
) -> None:
    item = await world.completed(encode_matte(matte))
    assert await exported(world, item, *THREE) == {}
    failed = await world.item(item.id)
    assert (failed.state, failed.error_code) == (ItemState.FAILED, code)
    assert failed.error_message
    assert (await world.balance()).balance == GRANTED
    assert not list((world.parts.settings.data_dir / "blobs" / "exports").rglob("*"))


async def test_a_preset_larger_than_the_photo_is_made_smaller_than_asked_and_says_so(world: World) -> None:
    large = WHITE.model_copy(update={"name": "large", "width": 1000, "height": 1000, "rules": KEPT})
    rows = await exported(world, await world.completed(), large, SHOWN)
    row = rows["large"]
    assert row.placed is not None
    assert (row.placed["capped"], row.placed["upscaled"], row.placed["scale"]) == (True, True, 2.0)
    assert (row.width, row.height) == (1000, 1000)
    fill = rule(row, "fill_share")
    assert (fill["passed"], fill["limit"]) == (False, ">= 0.85")
    assert 0.2 < fill["measured"] < 0.4
    assert rule(row, "upscaling")["passed"]
    assert rule(rows["in-scene"], "clearance")["passed"]


async def test_a_byte_budget_that_cannot_be_met_is_told_beside_the_smallest_file_there_is(
    world: World,
) -> None:
    promised = {"rule": "bytes", "maximum": 900}
    tight = SHOWN.model_validate(
        {
            **SHOWN.model_dump(mode="json", exclude_defaults=True),
            "name": "tight",
            "max_bytes": 900,
            "rules": [promised],
        }
    )
    large = WHITE.model_validate(
        {
            **WHITE.model_dump(mode="json", exclude_defaults=True),
            "name": "padded",
            "min_bytes": 900_000,
            "rules": [{"rule": "bytes", "minimum": 900_000}],
        }
    )
    item = await world.completed(scene="studio-warm")
    rows = await exported(world, item, tight, large, SHOWN)
    assert set(rows) == {"tight", "padded", "in-scene"}
    told = rule(rows["tight"], "bytes")
    assert (told["passed"], told["measured"]) == (False, rows["tight"].bytes)
    assert "quality lowered from 95 to 70" in told["fixed"]
    assert rows["tight"].bytes < rows["in-scene"].bytes
    told = rule(rows["padded"], "bytes")
    assert (told["passed"], told["measured"]) == (False, rows["padded"].bytes)
    assert "quality raised from 95 to 100" in told["fixed"]
