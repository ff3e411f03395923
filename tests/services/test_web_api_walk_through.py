"""The walk-through of docs/api.md, typed into a shell as it stands there."""

import asyncio
import json
import re
import zipfile
from pathlib import Path

from tests.services.http_services import CREDITS, WebApi, photo
from tests.services.whole_way import everything

from opal.images.metadata import read_digital_source_type
from opal.settings import child_environment

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def commands(heading: str) -> list[str]:
    """The shell commands under a heading."""
    section = PAGE.read_text("utf-8").partition(f"## {heading}")[2].partition("\n## ")[0]
    return re.findall(r"```bash\n(.*?)```", section, re.DOTALL)


def walk_through() -> str:
    """The shell commands, without the two lines that everybody fills in for themselves."""
    setting, *steps = commands("A walk-through with curl")
    assert "KEY=" in setting
    return "\n".join(steps)


async def test_the_walk_through_works_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "mug.jpg").write_bytes(photo())
    async with everything(tmp_path / "data") as api:
        output = await typed(api, tmp_path, walk_through())
        assert await api.credits() == (CREDITS - 1, 0)
    assert '"finished":true' in output
    assert archived(tmp_path) == (
        "exported",
        ["report.html", "report.json", "MUG-01/amazon-main.jpg", "MUG-01/square-1x1.jpg"],
    )


async def test_a_backdrop_is_made_and_used_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "kitchen.jpg").write_bytes(photo(900, 700))
    abbreviations = "\n".join(commands("A walk-through with curl")[1].splitlines()[:2])
    [steps] = commands("Backdrops")
    async with everything(tmp_path / "data") as api:
        output = await typed(api, tmp_path, f"{abbreviations}\n{steps}")
        job = json.loads(output[output.rindex('{"id":"job_') :])
        await api.upload(job, photo())
        async with (
            asyncio.timeout(60),
            api.client.stream("GET", f"/v1/jobs/{job['id']}/events") as stream,
        ):
            async for _ in stream.aiter_lines():
                pass
        item = f"/v1/jobs/{job['id']}/items/{job['items'][0]['id']}/variants"
        [variant] = (await api.client.get(item)).json()["variants"]
        picture = await api.anonymous.get(variant["url"])
    assert read_digital_source_type(picture.content) == "compositeCapture"


async def typed(api: WebApi, folder: Path, lines: str) -> str:
    """What a shell in ``folder`` prints."""
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", lines),
        cwd=folder,
        env=child_environment({"OPAL": api.url, "KEY": api.client.headers["X-API-Key"]}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        output = (await shell.communicate())[0].decode()
    assert shell.returncode == 0, output
    return output


def archived(folder: Path) -> tuple[str, list[str]]:
    """What the one archive in the folder says of its item, and its files."""
    [archive] = folder.glob("opal-*.zip")
    with zipfile.ZipFile(archive) as opened:
        [item] = json.loads(opened.read("report.json"))["items"]
        return item["status"], opened.namelist()
