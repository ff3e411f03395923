"""Finished pictures over HTTP: variants, downloads with ranges, and everything in one ZIP."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.services.http_services import (
    FIDELITY,
    PLACED,
    RULE,
    WebApi,
    matte_of_photo,
    photo,
    running_web_api,
)

from opal.blobs.interface import Permission
from opal.errors import InvalidInput
from opal.http.errors import RangeNotSatisfiable
from opal.items.file_names import product_stem, safe_stem, unique_product_stems, unique_stems
from opal.web_api.blob_answer import requested_span

PICTURE = bytes(range(256)) * 40


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path) as running:
        yield running


async def test_variants_come_with_reports_and_urls_that_work_without_a_key(api: WebApi) -> None:
    job = await api.job("Große Tasse.JPG")
    await api.upload(job, photo())
    item_id = job["items"][0]["id"]
    path = f"/v1/jobs/{job['id']}/items/{item_id}/variants"
    before = (await api.client.get(path)).json()
    assert (before["scene"], before["matte"], before["variants"]) == (None, None, [])
    await api.finish(item_id, {"square-1x1": PICTURE, "amazon-main": b"second"})
    answer = (await api.client.get(path)).json()
    names = [(variant["preset"], variant["filename"]) for variant in answer["variants"]]
    assert names == [
        ("amazon-main", "Große_Tasse-amazon-main.jpg"),
        ("square-1x1", "Große_Tasse-square-1x1.jpg"),
    ]
    variant = answer["variants"][1]
    assert (variant["compliance"], variant["fidelity"]) == ([RULE], FIDELITY)
    assert variant["placed"] == {"scale": 1.25, **PLACED}
    download = await api.anonymous.get(variant["url"])
    assert download.content == PICTURE
    assert download.headers["content-type"] == "image/jpeg"
    assert download.headers["cache-control"] == "private, no-store"
    assert download.headers["x-content-type-options"] == "nosniff"
    assert "filename*=UTF-8''Gro%C3%9Fe_Tasse-square-1x1.jpg" in download.headers["content-disposition"]
    for name, stored in (("scene", b"png"), ("matte", matte_of_photo())):
        assert (await api.anonymous.get(answer[name]["url"])).content == stored


async def test_workers_store_and_fetch_over_the_same_urls_as_in_azure(api: WebApi) -> None:
    path = "acme/jobs/j/items/i/outputs/1-scene.png"
    write = await api.parts.blobs.signed_url("outputs", path, Permission.CREATE)
    assert (write.method, write.headers) == ("PUT", {"x-ms-blob-type": "BlockBlob"})
    headers = {**write.headers, "Content-Type": "image/png"}
    stored = await api.anonymous.put(write.url, content=PICTURE, headers=headers)
    assert (stored.status_code, stored.content) == (201, b"")
    again = await api.anonymous.put(write.url, content=b"other", headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "blob_already_exists")
    read = await api.parts.blobs.signed_url("outputs", path, Permission.READ, download_name='a "b" ü.png')
    fetched = await api.anonymous.get(read.url)
    assert (fetched.content, fetched.headers["content-type"]) == (PICTURE, "image/png")
    assert fetched.headers["etag"] == stored.headers["etag"]
    assert fetched.headers["content-disposition"] == (
        "attachment; filename=\"a _b_ _.png\"; filename*=UTF-8''a%20%22b%22%20%C3%BC.png"
    )
    renamed = read.url.replace("rscd=attachment", "rscd=inline")
    assert (await api.anonymous.get(renamed)).json()["code"] == "signature_invalid"


async def test_parts_of_a_picture(api: WebApi) -> None:
    job = await api.job()
    await api.upload(job, photo())
    item_id = job["items"][0]["id"]
    await api.finish(item_id, {"square-1x1": PICTURE})
    path = f"/v1/jobs/{job['id']}/items/{item_id}/variants"
    url = (await api.client.get(path)).json()["variants"][0]["url"]
    whole = await api.anonymous.get(url)
    part = await api.anonymous.get(url, headers={"Range": "bytes=10-19", "If-Range": whole.headers["etag"]})
    assert (part.status_code, part.content) == (206, PICTURE[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(PICTURE)}"
    changed = await api.anonymous.get(url, headers={"Range": "bytes=10-19", "If-Range": '"other"'})
    assert (changed.status_code, changed.content) == (200, PICTURE)
    beyond = await api.anonymous.get(url, headers={"Range": "bytes=999999-"})
    assert (beyond.status_code, beyond.json()["code"]) == (416, "range_not_satisfiable")
    assert beyond.headers["content-range"] == f"bytes */{len(PICTURE)}"
    head = await api.anonymous.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(PICTURE))
    assert head.headers["etag"] == whole.headers["etag"]


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("bytes=0-", (0, 100)),
        ("bytes=0-9", (0, 10)),
        ("bytes=90-500", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-500", (0, 100)),
        ("bytes=9-2", None),
        ("bytes=0-1,5-6", None),
        ("bytes=-", None),
        ("items=0-1", None),
    ],
)
def test_a_range_header_is_read_as_rfc_9110_says(header: str | None, span: tuple[int, int] | None) -> None:
    assert requested_span(header, 100) == span


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_behind_the_end_is_refused(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        requested_span(header, 100)
    assert issubclass(RangeNotSatisfiable, InvalidInput)


async def test_the_archive_holds_every_picture_stored_and_a_report(api: WebApi) -> None:
    job = await api.job("mug.jpg", "MUG.png", "../../etc/passwd", "broken.jpg", name="Frühling 26")
    large = PICTURE * 1000  # above what is read in one go
    for index in range(3):
        await api.upload(job, photo(), index)
        await api.finish(job["items"][index]["id"], {"square-1x1": large if index == 0 else PICTURE})
    await api.upload(job, b"no photo", 3)
    answer = await api.client.get(f"/v1/jobs/{job['id']}/archive.zip")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    assert "opal-Fr_hling_26.zip" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "report.html",
            "report.json",
            "mug/square-1x1.jpg",
            "MUG-2/square-1x1.jpg",
            "passwd/square-1x1.jpg",
        ]
        packed = [each.filename for each in archive.infolist() if each.compress_type != zipfile.ZIP_STORED]
        assert packed == ["report.html"]
        assert archive.read("mug/square-1x1.jpg") == large
        assert archive.read("MUG-2/square-1x1.jpg") == PICTURE
        report = json.loads(archive.read("report.json"))
    assert report["job_id"] == job["id"]
    assert [item["status"] for item in report["items"]] == ["exported"] * 3 + ["failed"]
    assert report["items"][3]["error"]["code"] == "unsupported_format"
    assert report["items"][0]["variants"][0]["path"] == "mug/square-1x1.jpg"


async def test_pictures_are_named_by_sku_and_photos_of_one_sku_kept_apart(api: WebApi) -> None:
    photos = [
        {"filename": "front.jpg", "sku": "AB/1.5"},
        {"filename": "back.jpg", "sku": "AB/1.5"},
        {"filename": "IMG_1.jpg", "sku": "04012345678901"},
        {"filename": "IMG_2.jpg"},
    ]
    job = await api.job(items=photos)
    for index, item in enumerate(job["items"]):
        await api.upload(job, photo(), index)
        await api.finish(item["id"], {"square-1x1": bytes([index])})
    answer = await api.client.get(f"/v1/jobs/{job['id']}/archive.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        stored = {name: archive.read(name) for name in archive.namelist() if "report" not in name}
    assert stored == {
        "AB_1.5/square-1x1.jpg": b"\x00",
        "AB_1.5-2/square-1x1.jpg": b"\x01",
        "04012345678901/square-1x1.jpg": b"\x02",
        "IMG_2/square-1x1.jpg": b"\x03",
    }
    names = []
    for item in job["items"]:
        answer = await api.client.get(f"/v1/jobs/{job['id']}/items/{item['id']}/variants")
        names += [variant["filename"] for variant in answer.json()["variants"]]
    assert names == [name.replace("/", "-") for name in stored]


async def test_no_archive_before_there_is_a_picture(api: WebApi) -> None:
    job = await api.job()
    answer = await api.client.get(f"/v1/jobs/{job['id']}/archive.zip")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_not_ready")


async def test_a_picture_lost_on_the_way_breaks_the_download_instead_of_ending_it(api: WebApi) -> None:
    job = await api.job()
    await api.upload(job, photo())
    await api.finish(job["items"][0]["id"], {"square-1x1": PICTURE})
    path = f"acme/jobs/{job['id']}/items/{job['items'][0]['id']}/exports/1/square-1x1.jpg"
    await api.parts.blobs.delete("exports", path)
    with pytest.raises(Exception, match="peer closed connection"):
        await api.client.get(f"/v1/jobs/{job['id']}/archive.zip")


@pytest.mark.parametrize(
    ("filename", "stem"),
    [
        ("mug.jpg", "mug"),
        ("C:\\photos\\mug.final.jpg", "mug.final"),
        ("../../x.png", "x"),
        (".jpg", "jpg"),
        ("...", "photo"),
        ("CON.jpg", "_CON"),
        ("a/b\nc:d.jpg", "b_c_d"),
        ("Kaffee & Kuchen (2).jpg", "Kaffee_Kuchen_(2)"),
        ("x" * 200 + ".jpg", "x" * 80),
    ],
)
def test_file_names_are_safe_everywhere(filename: str, stem: str) -> None:
    assert safe_stem(filename) == stem


def test_file_names_are_unique_without_case() -> None:
    assert unique_stems(["a.jpg", "A.png", "a-2.jpg", "a.gif"]) == ["a", "A-2", "a-2-2", "a-3"]


@pytest.mark.parametrize(
    ("sku", "stem"),
    [
        ("MUG-01", "MUG-01"),
        ("04012345678901", "04012345678901"),
        ("AB/1.5", "AB_1.5"),
        ("../../etc", "etc"),
        ("nul", "_nul"),
        ("a\\b:c*?", "a_b_c"),
        ("x" * 200, "x" * 80),
        (None, "mug"),
        ("", "mug"),
        (" ?/ ", "mug"),
    ],
)
def test_a_product_number_is_a_name_as_a_whole(sku: str | None, stem: str) -> None:
    assert product_stem(sku, "photos/mug.jpg") == stem


def test_one_sku_for_several_photos_makes_several_names() -> None:
    products = [("M-1", "a.jpg"), ("m-1", "b.jpg"), (None, "M-1.png"), ("M/1", "c.jpg"), ("M:1", "d.jpg")]
    assert unique_product_stems(products) == ["M-1", "m-1-2", "M-1-3", "M_1", "M_1-2"]
