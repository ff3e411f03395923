"""Pictures that were removed for their age: pages still work, and fetching one says what became of it."""

from datetime import timedelta
from pathlib import Path

from sqlalchemy import update
from tests.services.http_services import photo, running_web_api

from opal.database import tables
from opal.database.engine import utc_now
from opal.settings import RetentionSettings
from opal.upkeep.retention import Retention


async def test_expired_pictures_are_told_of_and_cannot_be_fetched(tmp_path: Path) -> None:
    async with running_web_api(tmp_path / "data") as api:
        assert (await api.client.put("/v1/public-links", json={"jobs": "all"})).status_code == 200
        job = await api.job("mug.jpg")
        await api.upload(job, photo())
        item_id = job["items"][0]["id"]
        await api.finish(item_id, {"square-1x1": b"jpeg"})
        address = f"/v1/jobs/{job['id']}/items/{item_id}/variants"
        before = (await api.client.get(address)).json()
        [picture] = before["variants"]
        fetched = [before["scene"]["url"], picture["url"], picture["public_url"]]
        for url in fetched:
            assert (await api.anonymous.get(url)).status_code == 200
        limits = RetentionSettings(raw_days=3, outputs_days=3, exports_days=3)
        then = utc_now() - timedelta(days=4)
        async with api.parts.database.transaction() as connection:
            await connection.execute(update(tables.items).values(updated_at=then))
        assert await Retention(api.parts.database, api.parts.blobs, limits).turn(utc_now()) == 4
        for url in fetched:
            answer = await api.anonymous.get(url)
            assert (answer.status_code, answer.json()["code"]) == (410, "picture_expired")
        after = (await api.client.get(address)).json()
        [picture] = after["variants"]
        assert (after["scene"], after["matte"], picture["url"], picture["expires_at"]) == (None,) * 4
        assert picture["expired_at"] is not None
        assert (picture["sha256"], len(picture["compliance"])) == (before["variants"][0]["sha256"], 1)
        archive = await api.client.get(f"/v1/jobs/{job['id']}/archive.zip")
        assert (archive.status_code, archive.json()["code"]) == (410, "picture_expired")
        report = (await api.client.get(f"/v1/jobs/{job['id']}/report.json")).json()
        assert report["items"][0]["variants"][0]["expired_at"] is not None
        page = await api.client.get(f"/v1/jobs/{job['id']}/report.html")
        assert "removed for its age on" in page.text
        assert "/p/" not in page.text
