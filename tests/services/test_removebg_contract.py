"""remove.bg's API over the real server: one test per field, value, header and error code of the contract."""

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from tests.services.http_services import WebApi
from tests.services.removebg_world import (
    COLOUR,
    HEIGHT,
    LEFT,
    SUBJECT_HEIGHT,
    SUBJECT_WIDTH,
    TOP,
    WIDTH,
    ask,
    cut_photo,
    in_base64,
    pixels_of,
    plain_photo,
    removebg_api,
    unpacked,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
REQUIRED = ("x-width", "x-height", "x-type", "x-credits-charged", "x-ratelimit-limit")
FOREGROUND = ("x-foreground-left", "x-foreground-top", "x-foreground-width", "x-foreground-height")
WHITE = (255, 255, 255)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebApi]:
    async with removebg_api(tmp_path_factory.mktemp("removebg"), granted=10**6) as running:
        yield running


async def picture(api: WebApi, photo: bytes | None = None, /, **fields: str) -> Any:
    answer = await ask(api, photo, **fields)
    assert answer.status_code == 200, answer.text
    return pixels_of(answer.content)


async def test_a_result_has_every_header(api: WebApi) -> None:
    answer = await ask(api)
    assert answer.headers["content-type"] == "image/png"
    assert all(name in answer.headers for name in (*REQUIRED, "x-ratelimit-remaining", "x-ratelimit-reset"))
    assert (answer.headers["x-width"], answer.headers["x-height"]) == (str(WIDTH), str(HEIGHT))
    assert float(answer.headers["x-credits-charged"]) in {0.0, 1.0}
    found = [int(answer.headers[name]) for name in FOREGROUND]
    assert found == [LEFT, TOP, SUBJECT_WIDTH, SUBJECT_HEIGHT]
    assert "retry-after" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


async def test_the_foreground_is_told_in_the_photos_own_pixels(api: WebApi) -> None:
    answer = await ask(api, cut_photo("png", 1200, 960), size="preview", crop="true")
    assert [int(answer.headers[name]) for name in FOREGROUND] == [240, 180, 480, 360]
    assert (answer.headers["x-width"], answer.headers["x-height"]) == ("480", "360")


@pytest.mark.parametrize("form", ["multipart", "multipart base64", "form", "json"])
async def test_a_picture_comes_in_any_of_the_contracts_forms(api: WebApi, form: str) -> None:
    text = in_base64(cut_photo())
    if form == "multipart":
        answer = await ask(api)
    elif form == "multipart base64":
        answer = await api.client.post("/v1.0/removebg", files={"image_file_b64": (None, text)})
    elif form == "form":
        answer = await api.client.post("/v1.0/removebg", data={"image_file_b64": text})
    else:
        body = {"image_file_b64": text, "crop": False, "scale": None, "shadow_opacity": 50}
        answer = await api.client.post("/v1.0/removebg", json=body)
    assert answer.status_code == 200, answer.text
    assert tuple(pixels_of(answer.content)[TOP + 9, LEFT + 9]) == (*COLOUR, 255)


@pytest.mark.parametrize("text", ["data:image/png;base64,{}", "{}\n", "line\nbreaks"])
async def test_base64_as_people_write_it(api: WebApi, text: str) -> None:
    letters = in_base64(cut_photo())
    if text == "line\nbreaks":
        letters = "\r\n".join(letters[start : start + 76] for start in range(0, len(letters), 76))
    body = {"image_file_b64": text.replace("line\nbreaks", "{}").format(letters)}
    assert (await api.client.post("/v1.0/removebg", json=body)).status_code == 200


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
async def test_the_contracts_picture_formats_are_read(api: WebApi, kind: str) -> None:
    pixels = await picture(api, plain_photo(kind))
    assert abs(int((pixels[..., 3] == 255).sum()) - SUBJECT_WIDTH * SUBJECT_HEIGHT) < 300


async def test_json_is_answered_to_those_who_accept_it(api: WebApi) -> None:
    files = {"image_file": cut_photo()}
    answer = await api.client.post("/v1.0/removebg", files=files, headers={"Accept": "application/json"})
    assert answer.headers["content-type"] == "application/json"
    data = answer.json()["data"]
    assert data.pop("result_b64") == in_base64((await api.client.post("/v1.0/removebg", files=files)).content)
    names = ("left", "top", "width", "height")
    found = [data.pop(f"foreground_{name}") for name in names]
    assert found == [LEFT, TOP, SUBJECT_WIDTH, SUBJECT_HEIGHT]
    assert data == {}
    assert all(name in answer.headers for name in REQUIRED)


@pytest.mark.parametrize("accept", ["*/*", "image/*", "image/png"])
async def test_a_picture_is_answered_to_all_others(api: WebApi, accept: str) -> None:
    files = {"image_file": cut_photo()}
    answer = await api.client.post("/v1.0/removebg", files=files, headers={"Accept": accept})
    assert answer.headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        *((name, (632, 395)) for name in ("preview", "small", "regular")),
        ("medium", (1549, 968)),
        *((name, (2000, 1250)) for name in ("hd", "full", "4k", "50MP", "auto")),
    ],
)
async def test_each_size_reduces_to_its_limit(api: WebApi, size: str, expected: tuple[int, int]) -> None:
    answer = await ask(api, cut_photo("png", 2000, 1250), size=size, format="jpg")
    assert (int(answer.headers["x-width"]), int(answer.headers["x-height"])) == expected
    assert pixels_of(answer.content).shape[:2] == expected[::-1]


@pytest.mark.parametrize(
    ("fields", "media_type", "bands"),
    [
        ({}, "image/png", 4),
        ({"bg_color": "white"}, "image/jpeg", 3),
        ({"bg_color": "ffffff80"}, "image/png", 4),
        ({"channels": "alpha"}, "image/png", 1),
        ({"channels": "alpha", "bg_color": "white"}, "image/png", 1),
        ({"format": "png"}, "image/png", 4),
        ({"format": "png", "bg_color": "red"}, "image/png", 3),
        ({"format": "jpg"}, "image/jpeg", 3),
        ({"format": "jpg", "channels": "alpha"}, "image/jpeg", 3),
        ({"format": "webp"}, "image/webp", 4),
        ({"format": "webp", "bg_color": "red"}, "image/webp", 3),
    ],
)
async def test_each_format(api: WebApi, fields: dict[str, str], media_type: str, bands: int) -> None:
    answer = await ask(api, **fields)
    assert answer.headers["content-type"] == media_type
    assert pixels_of(answer.content).shape == (HEIGHT, WIDTH, bands)


async def test_a_jpeg_without_a_background_is_on_white(api: WebApi) -> None:
    pixels = await picture(api, format="jpg")
    assert pixels[5, 5].min() > 250


async def test_an_archive_holds_colour_and_alpha_that_make_the_png(api: WebApi) -> None:
    answer = await ask(api, format="zip")
    assert answer.headers["content-type"] == "application/zip"
    files = unpacked(answer.content)
    assert set(files) == {"color.jpg", "alpha.png"}
    alpha, whole = pixels_of(files["alpha.png"]), await picture(api)
    np.testing.assert_array_equal(alpha[..., 0], whole[..., 3])
    colour = pixels_of(files["color.jpg"])
    # The colour goes on beyond the edge: no dark rim comes back with the JPEG.
    assert np.abs(colour.astype(int) - COLOUR).max() < 12


async def test_an_archive_with_a_background_is_opaque(api: WebApi) -> None:
    files = unpacked((await ask(api, format="zip", bg_color="00ff00")).content)
    assert pixels_of(files["alpha.png"]).min() == 255
    assert pixels_of(files["color.jpg"])[5, 5, 1] > 245


async def test_only_the_region_of_interest_is_looked_at(api: WebApi) -> None:
    pixels = await picture(api, plain_photo("png"), roi="0px 0px 80px 160px")
    columns = np.flatnonzero(pixels[..., 3].any(axis=0))
    assert (columns[0], columns[-1]) == (LEFT, 79)


async def test_cropping_keeps_the_subject_alone(api: WebApi) -> None:
    pixels = await picture(api, crop="true")
    assert pixels.shape[:2] == (SUBJECT_HEIGHT, SUBJECT_WIDTH)
    assert pixels[..., 3].min() == 255


async def test_a_margin_is_left_around_it(api: WebApi) -> None:
    pixels = await picture(api, crop="true", crop_margin="10px 20px 30px 40px")
    assert pixels.shape[:2] == (SUBJECT_HEIGHT + 40, SUBJECT_WIDTH + 60)
    assert not pixels[:10, :, 3].any()
    assert pixels[10:-30, 40:-20, 3].min() == 255


async def test_scale_enlarges_the_subject_and_centres_it(api: WebApi) -> None:
    pixels = await picture(api, scale="80%")
    rows, columns = np.nonzero(pixels[..., 3])
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (20, 179, 20, 139)


async def test_position_moves_it(api: WebApi) -> None:
    pixels = await picture(api, position="100% 0%")
    np.testing.assert_array_equal(pixels[0, -1], (*COLOUR, 255))
    assert pixels[SUBJECT_HEIGHT, -1, 3] == 0


async def test_alpha_alone_is_a_grey_mask(api: WebApi) -> None:
    pixels = await picture(api, channels="alpha")
    assert set(np.unique(pixels)) == {0, 255}
    assert int((pixels == 255).sum()) == SUBJECT_WIDTH * SUBJECT_HEIGHT


@pytest.mark.parametrize(
    "fields", [{"add_shadow": "true"}, {"shadow_type": "drop"}, {"shadow_type": "3D"}, {"shadow_type": "car"}]
)
async def test_a_shadow_falls_beside_the_subject_and_not_on_it(api: WebApi, fields: dict[str, str]) -> None:
    pixels = await picture(api, **fields)
    partly = (pixels[..., 3] > 0) & (pixels[..., 3] < 255)
    assert partly.sum() > 100
    assert tuple(pixels[TOP + 9, LEFT + 9]) == (*COLOUR, 255)
    on_white = await picture(api, bg_color="white", format="png", **fields)
    assert on_white[..., 0][partly].min() < 250


async def test_no_opacity_is_no_shadow(api: WebApi) -> None:
    plain, without = await picture(api), await picture(api, shadow_type="drop", shadow_opacity="0")
    np.testing.assert_array_equal(plain, without)


@pytest.mark.parametrize(("text", "colour"), [("81d4fa", (0x81, 0xD4, 0xFA)), ("#F00", (255, 0, 0))])
async def test_a_colour_fills_the_ground(api: WebApi, text: str, colour: tuple[int, int, int]) -> None:
    pixels = await picture(api, bg_color=text, format="png")
    assert tuple(pixels[2, 2]) == colour
    assert tuple(pixels[TOP + 9, LEFT + 9]) == COLOUR


async def test_a_background_picture_covers_the_ground(api: WebApi) -> None:
    files = {
        "image_file": ("mug.png", cut_photo()),
        "bg_image_file": ("bg.jpg", plain_photo("jpg", 640, 200)),
    }
    data = {"size": "auto", "format": "png"}
    answer = await api.client.post("/v1.0/removebg", files=files, data=data)
    pixels = pixels_of(answer.content)
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    assert tuple(pixels[TOP + 9, LEFT + 9]) == COLOUR
    # Its middle is shown: 250 of its 640 columns, in which the dark block ends at 384.
    assert abs(int(pixels[60, 150].min()) - 30) < 40
    assert pixels[60, 195].min() > 240


@pytest.mark.parametrize("kind", ["auto", "person", "product", "car", "animal", "graphic", "transportation"])
async def test_the_type_is_told(api: WebApi, kind: str) -> None:
    answer = await ask(api, type=kind)
    assert answer.headers["x-type"] == {"auto": "product", "graphic": "graphics"}.get(kind, kind)


async def test_without_a_type_level_no_type_is_told(api: WebApi) -> None:
    assert "x-type" not in (await ask(api, type_level="none")).headers


@pytest.mark.parametrize("name", ["semitransparency", "type_level", "shadow_method", "something_new"])
async def test_what_cannot_be_honoured_is_ignored(api: WebApi, name: str) -> None:
    value = {"semitransparency": "false", "type_level": "latest"}.get(name, "x")
    np.testing.assert_array_equal(await picture(api, **{name: value}), await picture(api))


async def test_pixels_and_resolution_are_the_photos_own(api: WebApi) -> None:
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 256, (300, 400, 4), np.uint8)
    noise[..., 3] = 0
    noise[50:250, 80:320, 3] = 255
    import pyvips  # noqa: PLC0415

    data = pyvips.Image.new_from_array(noise).copy(interpretation="srgb").pngsave_buffer()
    pixels = await picture(api, data)
    np.testing.assert_array_equal(pixels[50:250, 80:320], noise[50:250, 80:320])
