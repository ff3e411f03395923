"""Malformed requests to the remove.bg routes, made by a seeded dice: never a 5xx, never a charge.

``OPAL_TEST_MALFORMED`` sets how many; the long run of docs/removebg.md has 2,000.
"""

import os
import random
from pathlib import Path

from tests.services.http_services import WebApi
from tests.services.removebg_world import cut_photo, in_base64, removebg_api

COUNT = int(os.environ.get("OPAL_TEST_MALFORMED", "250"))
PATHS = ("/v1.0/removebg", "/v1.0/removebg", "/v1.0/improve", "/api/remove")
KINDS = (
    *("application/json", "multipart/form-data; boundary=x", "multipart/form-data", "text/plain"),
    *("application/x-www-form-urlencoded", "", "application/json; charset=utf-16", "multipart/mixed"),
)
TEXTS = (
    *("", "%", "-1%", "99999999999999999999px", "NaN", "1e9%", "\x00", "²%", "½", "true\n", "0% 0% 0% 0%"),
    *(
        "null",
        "[]",
        "image",
        "#",
        "ffffff" * 9,
        "http://[",
        "https://\ud800",
        "file:///etc/passwd",
        "💥" * 99,
    ),
)
FIELDS = (
    *("size", "type", "type_level", "format", "roi", "crop", "crop_margin", "scale", "position", "channels"),
    *("add_shadow", "shadow_type", "shadow_opacity", "semitransparency", "bg_color", "bg_image_url", "bgc"),
    *("om", "image_url", "image_file_b64", "image_file", "tag", "file", "\x00", "x" * 300),
)
VALUES: tuple[object, ...] = (None, 0, -1, 1e308, True, [], {}, [[]], "x", "A" * 5000)


def damaged(dice: random.Random, data: bytes) -> bytes:
    """Cut short, or with some bytes changed."""
    if dice.random() < 0.5:
        return data[: dice.randrange(len(data))]
    changed = bytearray(data)
    for _ in range(dice.randrange(1, 30)):
        changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)


async def one(api: WebApi, dice: random.Random) -> int:
    """Send one request that cannot be right; its status."""
    path = dice.choice(PATHS)
    name, text = dice.choice(FIELDS), dice.choice(TEXTS)
    match dice.randrange(5):
        case 0:
            body = bytes(dice.randrange(256) for _ in range(dice.randrange(200)))
            headers = {"Content-Type": dice.choice(KINDS)}
            answer = await api.client.post(path, content=body, headers=headers)
        case 1:
            document = {name: dice.choice(VALUES), "image_file_b64": dice.choice(VALUES)}
            answer = await api.client.post(path, json=document)
        case 2:
            pictures = {"image_file": damaged(dice, cut_photo()[:60]), "file": b"\xff\xd8\xff"}
            answer = await api.client.post(path, files=pictures)
        case 3:
            # Every field of the contract as it must not be, beside a picture that has been cut short.
            form = {name: text.encode("utf-8", "replace"), "scale": b"2%", "bgc": b"red"}
            answer = await api.client.post(path, data=form, files={"image_file": cut_photo()[:50]})
        case _:
            form = {
                name: text.encode("utf-8", "replace"),
                "image_file_b64": in_base64(b"no picture").encode(),
            }
            answer = await api.client.post(path, data=form)
    return answer.status_code


async def test_malformed_requests_meet_no_fault_and_cost_nothing(tmp_path: Path) -> None:
    dice = random.Random(7)
    async with removebg_api(tmp_path) as api:
        statuses = [await one(api, dice) for _ in range(COUNT)]
        assert set(statuses) <= {400, 403}, sorted(set(statuses))
        assert await api.credits() == (100, 0)
        answer = await api.client.post("/v1.0/removebg", files={"image_file": cut_photo()})
        assert answer.status_code == 200
