"""The placement endpoint's run(): the real network on samples, pictures by signed URLs of a real web-api."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from tests.services.http_services import WebApi, running_web_api
from tests.unit.drawn_backdrops import picture_bytes, room_codes

from opal.blobs.interface import Permission
from opal.cutout.version import VERSION
from opal.errors import (
    BackdropUnusable,
    BlobNotFound,
    InvalidScene,
    NoProductFound,
    PhotoTruncated,
    UnknownScene,
)
from opal.images.matte import read_matte
from opal.messages.scoring_contract import OutputSas, ScoreRequest
from opal.placement.scene_picture import scene_size
from opal.scoring import score

pytestmark = pytest.mark.xdist_group("network")

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module", autouse=True)
def _models() -> None:
    score.init()


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path) as web:
        yield web


async def scored(web: WebApi, photo: bytes, *, inline: bool = False, **fields: Any) -> tuple[Any, str]:
    """Store a photo, ask for pictures, return the answer and the outputs' folder."""
    await web.parts.blobs.write("raw", "acme/photo", photo, content_type="image/jpeg", overwrite=True)

    async def url(container: str, path: str, permission: Permission) -> str:
        return (await web.parts.blobs.signed_url(container, path, permission)).url

    outputs = None
    if not inline:
        outputs = OutputSas(
            scene=await url("outputs", "acme/scene.png", Permission.CREATE),
            matte=await url("outputs", "acme/matte.png", Permission.CREATE),
        )
    request = ScoreRequest(
        tenant_id="acme",
        job_id="job",
        item_id="item",
        input_image_sas=await url("raw", "acme/photo", Permission.READ),
        output_sas=outputs,
        **fields,
    )
    return await asyncio.to_thread(score.run, request), "acme"


def sample(name: str) -> tuple[bytes, np.ndarray[Any, np.dtype[np.float32]]]:
    """A sample photo and the exact alpha of its product."""
    photo = (SAMPLES / "photos" / f"{name}.jpg").read_bytes()
    return photo, read_matte((SAMPLES / "alpha" / f"{name}.png").read_bytes())


async def test_a_turned_photo_is_cut_out_upright_and_stored_by_the_endpoint_itself(web: WebApi) -> None:
    photo, alpha = sample("stoneware-mug")
    answer, folder = await scored(web, photo, scene="studio-warm", seed=7)
    assert answer.image_bytes_b64 is None
    meta = answer.meta
    height, width = alpha.shape
    assert (meta.photo_width, meta.photo_height) == (width, height)
    assert [(model.name, len(model.sha256)) for model in meta.models] == [("isnet", 64)]
    assert (meta.cutout_engine, meta.cutout_version) == ("isnet", VERSION)
    assert meta.seed == 7
    assert meta.digital_source_type == "composite"
    assert meta.fidelity["share_within_de1"] > 0.999
    assert meta.fidelity["silhouette_iou"] > 0.99
    assert {"fetch", "decode", "network", "refine", "fit", "encode", "store"} <= set(meta.timings)

    matte = read_matte(await web.parts.blobs.read("outputs", f"{folder}/matte.png"))
    assert matte.shape == alpha.shape
    overlap = (matte > 0.5) & (alpha > 0.5)
    assert overlap.sum() / ((matte > 0.5) | (alpha > 0.5)).sum() > 0.98
    scene = pyvips.Image.new_from_buffer(await web.parts.blobs.read("outputs", f"{folder}/scene.png"), "")
    assert (scene.width, scene.height) == (meta.canvas_width, meta.canvas_height)
    box = meta.product_box
    assert 0 <= box.left < box.left + box.width <= scene.width
    assert 0 <= box.top < box.top + box.height <= scene.height


async def test_a_leaning_product_is_straightened_where_that_is_asked_for_and_the_matte_stays_the_photos(
    web: WebApi,
) -> None:
    photo, alpha = sample("glass-bottle")
    own = pyvips.Image.new_from_array((alpha * 255).round().astype(np.uint8))
    leaning = pyvips.Image.new_from_buffer(photo, "").bandjoin(own).rotate(4.0).pngsave_buffer()
    for placement, turn in ({}, 0.0), ({"straighten": True, "fill": 1.0}, -3.56):
        answer, folder = await scored(web, leaning, scene="white", placement=placement)
        meta = answer.meta
        assert meta.straightened_degrees == pytest.approx(turn, abs=0.1)
        assert meta.fidelity["share_within_de1"] > 0.999
        assert meta.fidelity["altered"] is False
        matte = read_matte(await web.parts.blobs.read("outputs", f"{folder}/matte.png"))
        assert matte.shape == (meta.photo_height, meta.photo_width)
        for name in ("scene", "matte"):
            await web.parts.blobs.delete("outputs", f"{folder}/{name}.png")
    # The photo is not enlarged unless its placement allows it, and falling short of the wish is told.
    assert (meta.transform.scale, meta.upscaled, meta.capped) == (1.0, False, True)


async def test_without_output_urls_the_pictures_come_inline(web: WebApi) -> None:
    photo, alpha = sample("soap-dispenser")
    answer, _ = await scored(web, photo, inline=True, scene={"kind": "transparent"})
    matte = read_matte(base64.b64decode(answer.matte_bytes_b64))
    assert matte.shape == alpha.shape
    scene = pyvips.Image.new_from_buffer(base64.b64decode(answer.image_bytes_b64), "")
    assert scene.bands == 4
    assert answer.meta.digital_source_type is None


async def test_asking_again_with_the_same_urls_is_no_error(web: WebApi) -> None:
    photo, _ = sample("soap-dispenser")
    first, folder = await scored(web, photo)
    stored = await web.parts.blobs.read("outputs", f"{folder}/scene.png")
    second, _ = await scored(web, photo)
    assert second.meta.transform == first.meta.transform
    assert await web.parts.blobs.read("outputs", f"{folder}/scene.png") == stored


async def test_a_photo_that_is_cut_out_already_keeps_its_alpha(web: WebApi) -> None:
    photo, alpha = sample("soap-dispenser")
    upright = pyvips.Image.new_from_buffer(photo, "")
    own = pyvips.Image.new_from_array((alpha * 255).round().astype(np.uint8))
    answer, folder = await scored(web, upright.bandjoin(own).pngsave_buffer(), scene="white")
    matte = read_matte(await web.parts.blobs.read("outputs", f"{folder}/matte.png"))
    assert np.abs(matte - alpha).max() < 1 / 254
    assert (answer.meta.cutout_engine, answer.meta.models) == (None, [])
    assert answer.meta.confidence_reasons == ["The file's own transparency was used."]


@pytest.mark.parametrize("shade", [0, 128, 255])
async def test_an_empty_photo_has_no_product(web: WebApi, shade: int) -> None:
    plain = pyvips.Image.black(640, 480, bands=3) + shade
    empty = plain.cast("uchar").copy(interpretation="srgb").jpegsave_buffer()
    with pytest.raises(NoProductFound):
        await scored(web, empty)
    with pytest.raises(Exception, match="blob"):
        await web.parts.blobs.read("outputs", "acme/scene.png")


async def test_a_product_stands_on_the_backdrop_and_the_answer_says_on_which(web: WebApi) -> None:
    photo, _ = sample("soap-dispenser")
    backdrop = picture_bytes(room_codes(1000, 800))
    await web.parts.blobs.write("raw", "acme/backdrop", backdrop, content_type="image/png")
    sas = (await web.parts.blobs.signed_url("raw", "acme/backdrop", Permission.READ)).url
    scene = {"kind": "backdrop", "picture": "backdrop_1", "ground": 0.85, "match": 1.0}
    answer, _ = await scored(web, photo, scene=scene, backdrop_image_sas=sas)
    meta = answer.meta
    assert (meta.engine, meta.digital_source_type) == ("backdrop", "compositeCapture")
    assert meta.backdrop.sha256 == hashlib.sha256(backdrop).hexdigest()
    assert (meta.backdrop.width, meta.backdrop.height) == (1000, 800)
    assert meta.backdrop.enlargement == pytest.approx(meta.canvas_height / 800, rel=0.01)
    assert meta.fidelity["light_match"]["share_within_de1"] > 0.99
    assert meta.fidelity["mean_de"] > 1.0


@pytest.mark.parametrize("fault", ["no url", "no blob", "no picture"])
async def test_a_backdrop_at_fault_is_not_the_photos_fault(web: WebApi, fault: str) -> None:
    photo, _ = sample("soap-dispenser")
    if fault == "no picture":
        await web.parts.blobs.write("raw", "acme/backdrop", b"text", content_type="image/png")
    sas = (await web.parts.blobs.signed_url("raw", "acme/backdrop", Permission.READ)).url
    with pytest.raises(BackdropUnusable):
        await scored(
            web,
            photo,
            scene={"kind": "backdrop", "picture": "backdrop_1"},
            backdrop_image_sas=None if fault == "no url" else sas,
        )


async def test_faults_of_the_request_are_told_apart(web: WebApi) -> None:
    photo, _ = sample("soap-dispenser")
    with pytest.raises(PhotoTruncated):
        await scored(web, photo[:20_000])
    with pytest.raises(UnknownScene):
        await scored(web, photo, scene="nonsense")
    with pytest.raises(InvalidScene):
        await scored(web, photo, scene={"kind": "solid", "colour": "red"})
    missing = (await web.parts.blobs.signed_url("raw", "acme/nothing", Permission.READ)).url
    request = ScoreRequest(tenant_id="acme", job_id="job", item_id="item", input_image_sas=missing)
    with pytest.raises(BlobNotFound):
        await asyncio.to_thread(score.run, request)


def test_a_large_photo_gets_a_bounded_scene_picture_in_its_own_aspect() -> None:
    class Large:
        width, height = 8000, 6000

    assert scene_size(Large()) == (2048, 1536)  # type: ignore[arg-type]
