"""What people take of a job: a part of it as a ZIP, its results as a table, its public links as a list."""

import csv
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.services.http_services import WebApi, photo, running_web_api

from opal.web_api.results_table import COLUMNS

_PRESETS = ("amazon-main", "square-1x1")
# So that the table is read in two pages.
_LATE = [f"late-{number}.jpg" for number in range(103)]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path, granted=200) as running:
        yield running


async def mixed(api: WebApi) -> dict[str, Any]:
    """Three photos with two pictures each, the first named to be a formula; one that failed, 103 to come."""
    names = ['=cmd|"/c calc"!A1.jpg', "mug.jpg", "möbel, groß.jpg", "broken.jpg", *_LATE]
    skus = ["-1+1", "MUG-01", *[None] * 105]
    photos = [
        {"filename": name, **({"sku": sku} if sku else {})} for name, sku in zip(names, skus, strict=True)
    ]
    job = await api.job(items=photos, presets=list(_PRESETS), name="Spring")
    for index in range(3):
        await api.upload(job, photo(), index)
        await api.finish(job["items"][index]["id"], dict.fromkeys(_PRESETS, b"jpeg"), review=index == 1)
    await api.upload(job, b"no photo", 3)
    return job


async def members(api: WebApi, job: dict[str, Any], **params: Any) -> list[str]:
    answer = await api.client.get(f"/v1/jobs/{job['id']}/archive.zip", params=params)
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return [name for name in archive.namelist() if not name.startswith("report.")]


async def rows(api: WebApi, job: dict[str, Any], **params: Any) -> list[dict[str, str]]:
    answer = await api.client.get(f"/v1/jobs/{job['id']}/results.csv", params=params)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "opal-Spring.csv" in answer.headers["content-disposition"]
    assert answer.content.startswith(b"\xef\xbb\xbfsku,")
    assert answer.content.count(b"\n") == answer.content.count(b"\r\n")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


async def test_a_part_of_the_archive_has_the_names_of_the_whole(api: WebApi) -> None:
    job = await mixed(api)
    whole = await members(api, job)
    assert len(whole) == 6
    assert await members(api, job, items="2") == whole[2:4]
    third = job["items"][2]["id"]
    assert await members(api, job, items=f"1-2,{third}", preset="square-1x1") == whole[1::2]
    for params, code in (
        ({"items": "108"}, "not_found"),
        ({"items": "2-1"}, "not_found"),
        ({"items": f"item_{'0' * 24}"}, "not_found"),
        ({"preset": "ebay-main"}, "not_found"),
        ({"items": "0"}, "invalid_request"),
        ({"items": "1,,2"}, "invalid_request"),
        ({"items": "4-107"}, "job_not_ready"),
    ):
        answer = await api.client.get(f"/v1/jobs/{job['id']}/archive.zip", params=params)
        assert answer.json()["code"] == code, params


async def test_another_tenants_photo_is_as_unknown_as_nobodys(api: WebApi) -> None:
    job = await mixed(api)
    theirs = (await api.other.post("/v1/jobs", json={"items": [{"filename": "x.jpg"}]})).json()
    for what in ("archive.zip", "results.csv", "public-links.txt"):
        for item in (theirs["items"][0]["id"], f"item_{'0' * 24}"):
            answer = await api.client.get(f"/v1/jobs/{job['id']}/{what}", params={"items": item})
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert (await api.other.get(f"/v1/jobs/{job['id']}/{what}")).status_code == 404


async def test_the_table_has_a_line_per_picture_and_no_formula(api: WebApi) -> None:
    job = await mixed(api)
    told = await rows(api, job)
    assert list(told[0]) == list(COLUMNS)
    assert [(row["filename"], row["state"], row["preset"]) for row in told[2:]] == [
        *(("mug.jpg", "exported", preset) for preset in _PRESETS),
        *(("möbel, groß.jpg", "exported", preset) for preset in _PRESETS),
        ("broken.jpg", "failed", ""),
        *((late, "created", "") for late in _LATE),
    ]
    assert (told[0]["sku"], told[0]["filename"]) == ("'-1+1", '\'=cmd|"/c calc"!A1.jpg')
    mug = told[3]
    expected = {
        "sku": "MUG-01",
        "file": "MUG-01/square-1x1.jpg",
        "width": "2000",
        "bytes": "4",
        "format": "jpeg",
        "compliance": "passed",
        "broken_rules": "",
        "fidelity": "0.999",
        "confidence": "0.93",
        "review": "yes",
        "public_url": "",
        "item_id": job["items"][1]["id"],
    }
    assert {name: mug[name] for name in expected} == expected
    assert told[6]["error_code"] == "unsupported_format"
    assert told[6]["error_message"]
    some = await rows(api, job, items="2,4", preset="square-1x1")
    assert [(row["filename"], row["preset"]) for row in some] == [
        ("mug.jpg", "square-1x1"),
        ("broken.jpg", ""),
    ]


async def test_public_links_are_a_list_where_there_are_any(api: WebApi) -> None:
    job = await mixed(api)
    address = f"/v1/jobs/{job['id']}/public-links.txt"
    off = await api.client.get(address)
    assert (off.status_code, off.json()["code"]) == (409, "public_links_off")
    await api.client.put("/v1/public-links", json={"jobs": "all"})
    links = (await api.client.get(address)).text.splitlines()
    assert len(links) == 6
    assert (await api.anonymous.get(links[0])).content == b"jpeg"
    assert links == [row["public_url"] for row in await rows(api, job) if row["public_url"]]
    some = await api.client.get(address, params={"items": "2", "preset": "square-1x1"})
    assert some.text.splitlines() == [links[3]]


async def test_what_a_person_rejected_is_left_out_everywhere(api: WebApi) -> None:
    await api.client.put("/v1/public-links", json={"jobs": "all"})
    job = await mixed(api)
    item = job["items"][1]["id"]
    judged = await api.client.post(f"/v1/jobs/{job['id']}/items/{item}/verdict", json={"verdict": "rejected"})
    assert judged.status_code == 200, judged.text
    assert len(await members(api, job)) == 4
    [line] = await rows(api, job, items="2")
    assert (line["state"], line["verdict"], line["preset"], line["public_url"]) == (
        "exported",
        "rejected",
        "",
        "",
    )
    links = await api.client.get(f"/v1/jobs/{job['id']}/public-links.txt")
    assert len(links.text.splitlines()) == 4
