"""What remove.bg's API costs, counts and refuses; and that nothing is charged for what was not answered."""

import asyncio
import socket
import threading
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from tests.services.http_services import TENANT, WebApi, bound_socket, client_of, served
from tests.services.removebg_world import (
    HEIGHT,
    WIDTH,
    at_once,
    cut_photo,
    pixels_of,
    plain_photo,
    removebg_api,
)

from opal.database import keys, ledger, picture_charges
from opal.errors import NoProductFound, ScoringFailed
from opal.messages.cutout_contract import CutoutRequest, CutoutResponse
from opal.outgoing_settings import OutgoingSettings
from opal.settings import RemoveBgSettings


async def ask(api: WebApi, photo: bytes | None = None, /, **fields: str) -> httpx.Response:
    files = {"image_file": photo or cut_photo()}
    return await api.client.post("/v1.0/removebg", files=files, data=fields)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["code"]


async def charged(api: WebApi, photo: bytes | None = None, /, **fields: str) -> float:
    answer = await ask(api, photo, **fields)
    assert answer.status_code == 200, answer.text
    return float(answer.headers["x-credits-charged"])


async def test_a_picture_costs_a_credit_and_a_preview_a_quarter(tmp_path: Path) -> None:
    async with removebg_api(tmp_path) as api:
        assert await charged(api, size="full") == 1.0
        assert await api.credits() == (99, 0)
        for number in range(5):
            assert await charged(api, bg_color=f"00000{number}") == 0.25
        # The first and the fifth debited a credit each; the ledger's rows add up to what the account holds.
        assert await api.credits() == (97, 0)
        async with api.parts.database.read() as connection:
            assert await ledger.summed(connection, TENANT) == await ledger.balance(connection, TENANT)
            assert await picture_charges.funds(connection, TENANT) == 4 * 97 + 3
        total = (await api.client.get("/v1.0/account")).json()["data"]["attributes"]["credits"]["total"]
        assert total == 97.75


async def test_the_same_request_is_charged_once_whatever_its_form(tmp_path: Path) -> None:
    async with removebg_api(tmp_path) as api:
        assert await charged(api, size="hd") == 1.0
        assert await charged(api, size="hd") == 0.0
        assert await charged(api, size="hd", crop="true") == 1.0
        assert await charged(api, plain_photo("png"), size="hd") == 1.0
        at_the_same_time = await asyncio.gather(*(charged(api, size="medium") for _ in range(4)))
        assert sorted(at_the_same_time) == [0.0, 0.0, 0.0, 1.0]
        assert await api.credits() == (96, 0)


async def test_without_credits_there_is_no_picture_but_a_paid_one_comes_again(tmp_path: Path) -> None:
    async with removebg_api(tmp_path, granted=1) as api:
        assert await charged(api, size="full") == 1.0
        answer = await ask(api, size="preview")
        assert code(answer) == (402, "insufficient_credits")
        assert "x-ratelimit-remaining" in answer.headers
        assert await charged(api, size="full") == 0.0
        assert await api.credits() == (0, 0)


async def test_two_requests_for_the_last_credit_give_one_picture(tmp_path: Path) -> None:
    async with removebg_api(tmp_path, granted=1) as api:
        answers = await asyncio.gather(ask(api, size="hd"), ask(api, size="hd", crop="true"))
        assert sorted(answer.status_code for answer in answers) == [200, 402]
        assert await api.credits() == (0, 0)


async def test_a_sandbox_key_makes_marked_pictures_for_nothing_and_opens_nothing_else(tmp_path: Path) -> None:
    async with removebg_api(tmp_path, granted=1) as api:
        plain = pixels_of((await ask(api)).content)
        async with api.parts.database.transaction() as connection:
            _, key = await keys.create_key(connection, TENANT, "trying", sandbox=True)
        async with client_of(api.url, key) as sandbox:
            for channels in ("rgba", "alpha"):
                form = {"image_file": cut_photo()}
                answer = await sandbox.post("/v1.0/removebg", files=form, data={"channels": channels})
                assert answer.headers["x-credits-charged"] == "0"
                assert (pixels_of(answer.content)[..., -1] != plain[..., 3]).mean() > 0.05
            assert (await sandbox.get("/v1.0/account")).status_code == 200
            for path in ("/v1/credits", "/v1/jobs"):
                refused = await sandbox.get(path)
                assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
        assert await api.credits() == (0, 0)


async def test_above_the_rate_limit_there_is_a_429_with_the_time_to_wait(tmp_path: Path) -> None:
    async with removebg_api(tmp_path, removebg=RemoveBgSettings(rate_limit=3)) as api:
        answers = [await ask(api, bg_color=f"00000{number}") for number in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
        assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"3"}
        assert code(answers[-1]) == (429, "rate_limit_exceeded")
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert await api.credits() == (99, 0)


async def test_an_image_counts_its_megapixels(tmp_path: Path) -> None:
    async with removebg_api(tmp_path, removebg=RemoveBgSettings(rate_limit=10)) as api:
        answer = await ask(api, cut_photo("jpg", 2000, 1500))
        assert answer.headers["x-ratelimit-remaining"] == "7"


class Gate:
    """An endpoint that works only when it is let."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.begun = 0

    def __call__(self, request: CutoutRequest) -> CutoutResponse:
        self.begun += 1
        assert self.open.wait(30)
        return at_once(request)

    async def has_begun(self, count: int) -> None:
        async with asyncio.timeout(20):
            while self.begun < count:  # noqa: ASYNC110 - counted in another thread
                await asyncio.sleep(0.005)


async def test_past_the_waiting_line_there_is_a_429_at_once(tmp_path: Path) -> None:
    gate = Gate()
    # Two of a tenant, four of all.
    limits = RemoveBgSettings(concurrency=1, waiting=3)
    async with removebg_api(tmp_path, gate, removebg=limits) as api:
        first = asyncio.create_task(ask(api, bg_color="000001"))
        await gate.has_begun(1)
        # One of these finds the last place, whichever comes first; the other finds none.
        others = [asyncio.create_task(ask(api, bg_color=f"00000{number}")) for number in (2, 3)]
        done, waiting = await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED, timeout=20)
        [refused], [kept] = done, waiting
        assert code(refused.result()) == (429, "too_many_requests")
        assert "retry-after" in refused.result().headers
        theirs = asyncio.create_task(api.other.post("/v1.0/removebg", files={"image_file": cut_photo()}))
        gate.open.set()
        assert (await theirs).status_code == 200
        assert [(await first).status_code, (await kept).status_code] == [200, 200]
        assert (await ask(api, bg_color="000004")).status_code == 200


async def test_a_client_that_hangs_up_is_forgotten_and_not_charged(tmp_path: Path) -> None:
    gate = Gate()
    async with removebg_api(tmp_path, gate, removebg=RemoveBgSettings(concurrency=1, waiting=3)) as api:
        left = asyncio.create_task(ask(api, bg_color="000001"))
        await gate.has_begun(1)
        waiting = asyncio.create_task(ask(api, bg_color="000002"))
        left.cancel()
        await asyncio.wait((left,))
        # The next one has its turn although the network still works on the first.
        await gate.has_begun(2)
        gate.open.set()
        assert (await waiting).status_code == 200
        assert await api.credits() == (99, 0)
        async with api.parts.database.read() as connection:
            assert await picture_charges.funds(connection, TENANT) == 4 * 99 + 3


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NoProductFound(), (400, "unknown_foreground")),
        (ScoringFailed("10.0.0.1 broke"), (503, "service_unavailable")),
        (RuntimeError("secret"), (503, "service_unavailable")),
    ],
)
async def test_what_the_endpoint_cannot_do_is_not_charged(
    tmp_path: Path, error: Exception, expected: tuple[int, str]
) -> None:
    def fail(_request: CutoutRequest) -> CutoutResponse:
        raise error

    # What is final is told at once; the rest is tried again until the time is up.
    final = isinstance(error, NoProductFound)
    async with removebg_api(
        tmp_path, fail, removebg=RemoveBgSettings(timeout_s=30.0 if final else 1.0)
    ) as api:
        answer = await ask(api)
        assert code(answer) == expected
        assert "secret" not in answer.text
        assert "10.0.0.1" not in answer.text
        assert await api.credits() == (100, 0)


async def test_a_body_larger_than_its_pictures_may_be_is_refused(tmp_path: Path) -> None:
    async with removebg_api(tmp_path, removebg=RemoveBgSettings(max_bytes=20_000)) as api:
        answer = await ask(api, b"\xff\xd8\xff" + bytes(30_000))
        assert code(answer) == (400, "file_too_large")
        assert code(await ask(api, bytes(2_000_000))) == (400, "file_too_large")
        assert (await ask(api)).status_code == 200


async def pictures(request: Request) -> Response:
    """A host of pictures: one that is there, one that has moved, one in a circle, one too large."""
    match request.path_params["name"]:
        case "mug.png":
            return Response(cut_photo(), media_type="image/png")
        case "moved.png":
            return RedirectResponse("/mug.png", 302)
        case "circle.png":
            return RedirectResponse("/circle.png", 307)
        case "away.png":
            return RedirectResponse("http://169.254.169.254/latest", 302)
        case "large.png":
            return Response(bytes(70_000))
    return Response("gone", 404)


async def test_pictures_are_fetched_from_addresses(tmp_path: Path) -> None:
    bound, url = bound_socket()
    nobody, nowhere = _closed_port()
    with nobody:
        settings = RemoveBgSettings(max_bytes=60_000, download_timeout_s=5)
        async with (
            served(Starlette(routes=[Route("/{name}", pictures)]), bound),
            removebg_api(
                tmp_path, removebg=settings, outgoing=OutgoingSettings(private_addresses="allow")
            ) as api,
        ):

            async def fetched(name: str, field: str = "image_url", base: str = url) -> httpx.Response:
                form = {field: f"{base}/{name}"}
                if field == "image_url":
                    return await api.client.post("/v1.0/removebg", data=form)
                return await ask(api, **form)

            for name in ("mug.png", "moved.png"):
                answer = await fetched(name)
                assert answer.status_code == 200, answer.text
                assert pixels_of(answer.content).shape == (HEIGHT, WIDTH, 4)
            assert (await fetched("mug.png", "bg_image_url")).headers["content-type"] == "image/jpeg"
            for field, bad, failed in (
                ("image_url", "invalid_image_url", "failed_image_download"),
                ("bg_image_url", "invalid_bg_image_url", "failed_bg_download"),
            ):
                assert code(await fetched("away.png", field)) == (400, bad)
                for name in ("none.png", "circle.png"):
                    assert code(await fetched(name, field)) == (400, failed)
                assert code(await fetched("large.png", field)) == (400, "file_too_large")
                assert code(await fetched("mug.png", field, nowhere)) == (400, failed)


def _closed_port() -> tuple[socket.socket, str]:
    """A port that nobody listens on while the socket is held."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return held, f"http://127.0.0.1:{held.getsockname()[1]}"
