"""A job's report as data and as a page: alone, in pages, and in the archive."""

import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.services.http_services import RULE, WebApi, photo, running_web_api

NASTY = '<script>alert("x")</script>&{{7*7}}\' onload=x.jpg'


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path) as running:
        yield running


async def mixed(api: WebApi) -> dict[str, Any]:
    """One photo in order, one that wants a look, one that failed, one that never came."""
    job = await api.job("good.jpg", NASTY, "broken.jpg", "late.jpg", presets=["square-1x1", "amazon-main"])
    for index in range(2):
        await api.upload(job, photo(), index)
        pictures = {"square-1x1": photo(), "amazon-main": b"no picture"}
        await api.finish(job["items"][index]["id"], pictures, review=index == 1)
    await api.upload(job, b"no photo", 2)
    return job


async def test_the_page_shows_every_photo_with_what_wants_attention_first(api: WebApi) -> None:
    job = await mixed(api)
    answer = await api.client.get(f"/v1/jobs/{job['id']}/report.html")
    page = answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "private, no-store"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; img-src data:;" in policy
    assert "sandbox" in policy
    assert "<script" not in page
    escaped = "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;&amp;{{7*7}}&#39; onload=x.jpg"
    names = re.findall(r"<h3>(.*?)</h3>", page)
    assert names == ["broken.jpg", escaped, "late.jpg", "good.jpg"]
    assert "[unsupported_format]" in page
    assert "width: 2000 px (= 2000)" in page
    assert "99.90% of the product&#39;s pixels within ΔE 1" in page
    assert "confidence 0.93" in page
    assert "enlarged: amazon-main 1.25 ×, square-1x1 1.25 ×" in page
    sources = re.findall(r' src="([^"]{22})', page)
    assert set(sources) == {"data:image/webp;base64"}, "what is no picture has no preview, and breaks no page"
    assert (await api.other.get(f"/v1/jobs/{job['id']}/report.html")).status_code == 404


async def test_a_long_job_has_several_pages(api: WebApi) -> None:
    job = await mixed(api)
    address = f"/v1/jobs/{job['id']}/report.html"
    pages = [(await api.client.get(address, params={"page": n, "limit": 3})).text for n in (1, 2, 3)]
    assert [re.findall(r"<h3>(\w+)\.jpg</h3>", page) for page in pages] == [["broken", "good"], ["late"], []]
    links = [re.findall(r'<a href="(report[^"]+)" rel="(\w+)"', page) for page in pages]
    assert links == [
        [("report.html?page=2&amp;limit=3", "next")] * 2,
        [("report.html?page=1&amp;limit=3", "prev")] * 2,
        [("report.html?page=2&amp;limit=3", "prev")] * 2,
    ]
    assert all("4 photos, page" in page for page in pages)
    assert (await api.client.get(address, params={"limit": 101})).status_code == 422


async def test_the_data_is_that_of_the_archive_and_there_before_any_picture(api: WebApi) -> None:
    early = await api.job()
    address = f"/v1/jobs/{early['id']}/report.json"
    told = (await api.client.get(address)).json()
    assert [(item["source"], item["status"], item["variants"]) for item in told["items"]] == [
        ("mug.jpg", "created", [])
    ]
    await api.client.put("/v1/public-links", json={})
    job = await mixed(api)
    report = (await api.client.get(f"/v1/jobs/{job['id']}/report.json")).json()
    variant = report["items"][0]["variants"][1]
    assert variant["compliance"] == [RULE]
    assert (await api.anonymous.get(variant["public_url"])).status_code == 200
    page = (await api.client.get(f"/v1/jobs/{job['id']}/report.html")).text
    assert f'href="{variant["public_url"]}"' in page, "where it is public, it can be opened from the page"
    answer = await api.client.get(f"/v1/jobs/{job['id']}/archive.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert json.loads(archive.read("report.json")) == report
        page = archive.read("report.html").decode()
        named = set(archive.namelist())
    shown = re.findall(r'<img src="([^"]+)"', page)
    assert shown
    assert set(shown) | set(re.findall(r'<a href="([^"#:]+)"', page)) <= named
    assert "data:" not in page
