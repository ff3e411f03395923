"""Photo, matte and cut-out as pages show them: bounded, kept by browsers, gone once they have expired."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from sqlalchemy import update
from tests.services.http_services import WebApi, matte_of_photo, photo, running_web_api

from opal.database.engine import utc_now
from opal.database.tables import items

NAMES = ("photo", "matte", "cutout")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path) as running:
        yield running


async def finished(api: WebApi) -> tuple[str, str]:
    """An item with its cut-out; its id, and what the addresses of its pictures begin with."""
    job = await api.job()
    item = job["items"][0]["id"]
    await api.upload(job, photo())
    await api.finish(item, {"square-1x1": photo(900, 600), "print-tiff": photo(600, 900)})
    return item, f"/v1/jobs/{job['id']}/items/{item}"


def opened(data: bytes) -> NDArray[np.uint8]:
    """The file's codes, (H, W, bands)."""
    image = pyvips.Image.new_from_buffer(data, "")
    codes: NDArray[np.uint8] = image.numpy().reshape(image.height, image.width, image.bands)
    return codes


async def test_photo_matte_and_cut_out_fit_on_each_other(api: WebApi) -> None:
    _, base = await finished(api)
    kinds = {"photo": "image/jpeg", "matte": "image/png", "cutout": "image/webp"}
    shown = {}
    for name, kind in kinds.items():
        for query, size in (("", (300, 400)), ("?side=100", (75, 100)), ("?side=4000", (300, 400))):
            answer = await api.client.get(f"{base}/{name}{query}")
            assert (answer.status_code, answer.headers["content-type"]) == (200, kind), answer.text
            shown[name] = opened(answer.content)
            assert shown[name].shape[:2] == size
    product = shown["matte"][..., 0] > 128
    assert product.sum() == 200 * 150
    assert (shown["cutout"][..., 3] > 128)[product].all()
    assert not shown["cutout"][..., 3][~product].any()
    middle = shown["cutout"][150, 200, :3].astype(int)
    assert np.abs(middle - shown["photo"][150, 200]).max() < 12
    assert (await api.client.get(f"{base}/matte")).content == matte_of_photo()


async def test_what_a_browser_holds_is_not_made_again(api: WebApi) -> None:
    _, base = await finished(api)
    tags = set()
    for name in NAMES:
        for query in ("", "?side=64", "?side=64&v=0"):
            answer = await api.client.get(f"{base}/{name}{query}")
            kept = "private, max-age=3600" if "v=" in query else "private, no-cache"
            assert answer.headers["cache-control"] == kept
            tag = answer.headers["etag"]
            held = await api.client.get(f"{base}/{name}{query}", headers={"If-None-Match": tag})
            assert (held.status_code, held.content) == (304, b"")
            tags.add(tag)
    assert len(tags) == 6, "each picture and size has a version of its own, whatever its address"


async def test_what_is_not_there_yet_and_what_is_not_ones_own_is_404(api: WebApi) -> None:
    waiting = await api.job()
    item = waiting["items"][0]["id"]
    _, base = await finished(api)
    for name in NAMES:
        assert (await api.client.get(f"/v1/jobs/{waiting['id']}/items/{item}/{name}")).status_code == 404
        assert (await api.other.get(f"{base}/{name}")).status_code == 404
        assert (await api.anonymous.get(f"{base}/{name}")).status_code == 401
        assert (await api.client.get(f"{base}/{name}?side=5000")).status_code == 422


@pytest.mark.parametrize(
    ("column", "gone"), [("raw_expired_at", {"photo", "cutout"}), ("outputs_expired_at", {"matte", "cutout"})]
)
async def test_what_was_removed_for_its_age_says_so(api: WebApi, column: str, gone: set[str]) -> None:
    item, base = await finished(api)
    held = {name: (await api.client.get(f"{base}/{name}")).headers["etag"] for name in NAMES}
    async with api.parts.database.transaction() as connection:
        await connection.execute(update(items).where(items.c.id == item).values({column: utc_now()}))
    for name in NAMES:
        answer = await api.client.get(f"{base}/{name}", headers={"If-None-Match": held[name]})
        if name in gone:
            assert (answer.status_code, answer.json()["code"]) == (410, "picture_expired")
        else:
            assert answer.status_code in {200, 304}


async def test_a_damaged_matte_is_not_the_photos_fault(api: WebApi) -> None:
    item, base = await finished(api)
    async with api.parts.database.read() as connection:
        query = items.select().with_only_columns(items.c.matte_path).where(items.c.id == item)
        path = (await connection.execute(query)).scalar_one()
    for stored in (b"no picture", matte_of_photo(40, 30), matte_of_photo(200, 150)):
        await api.parts.blobs.write("outputs", path, stored, content_type="image/png", overwrite=True)
        answer = await api.client.get(f"{base}/cutout?side=64")
        assert answer.json()["code"] == "stored_picture_unusable", answer.text
        assert (await api.client.get(f"{base}/photo")).status_code == 200


async def test_a_preview_of_any_preset_in_any_size(api: WebApi) -> None:
    _, base = await finished(api)
    for preset, size in (("square-1x1", (200, 300)), ("print-tiff", (300, 200))):
        answer = await api.client.get(f"{base}/preview?preset={preset}&side=300")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
        assert opened(answer.content).shape[:2] == size
    assert (await api.client.get(f"{base}/preview?preset=amazon-main")).status_code == 404
