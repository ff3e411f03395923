"""remove.bg's API: a file in, a picture out, with its headers; errors in the contract's form."""

from pathlib import Path

from tests.services.removebg_world import (
    COLOUR,
    HEIGHT,
    LEFT,
    SUBJECT_HEIGHT,
    SUBJECT_WIDTH,
    TOP,
    WIDTH,
    cut_photo,
    pixels_of,
    plain_photo,
    removebg_api,
)


async def test_a_file_comes_back_cut_out_and_is_charged(tmp_path: Path) -> None:
    async with removebg_api(tmp_path) as api:
        answer = await api.client.post(
            "/v1.0/removebg", files={"image_file": cut_photo()}, data={"size": "auto"}
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "image/png"
        told = {name: answer.headers[f"x-{name}"] for name in ("width", "height", "type", "credits-charged")}
        assert told == {"width": str(WIDTH), "height": str(HEIGHT), "type": "product", "credits-charged": "1"}
        box = [answer.headers[f"x-foreground-{side}"] for side in ("left", "top", "width", "height")]
        assert box == [str(n) for n in (LEFT, TOP, SUBJECT_WIDTH, SUBJECT_HEIGHT)]
        pixels = pixels_of(answer.content)
        assert pixels.shape == (HEIGHT, WIDTH, 4)
        assert tuple(pixels[TOP + 5, LEFT + 5]) == (*COLOUR, 255)
        assert pixels[..., 3].astype(bool).sum() == SUBJECT_WIDTH * SUBJECT_HEIGHT
        assert await api.credits() == (99, 0)
        again = await api.client.post(
            "/v1.0/removebg", files={"image_file": cut_photo()}, data={"size": "auto"}
        )
        assert again.headers["x-credits-charged"] == "0"
        assert await api.credits() == (99, 0)
        plain = await api.client.post("/v1.0/removebg", files={"image_file": plain_photo()})
        assert plain.headers["x-credits-charged"] == "0.25", plain.text
        account = (await api.client.get("/v1.0/account")).json()
        assert account["data"]["attributes"]["credits"]["total"] == 98.75
        nothing = await api.client.post("/v1.0/removebg")
        assert nothing.status_code == 400
        assert nothing.json()["errors"][0]["code"] == "missing_source"
        assert (await api.anonymous.post("/v1.0/removebg")).status_code == 403
        assert (await api.client.get("/v1.0/removebg")).status_code == 405
