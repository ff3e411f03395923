"""The walk-through of docs/api.md, typed into a shell as it stands there."""

import asyncio
import json
import re
import zipfile
from pathlib import Path

from tests.services.http_services import CREDITS, photo
from tests.services.whole_way import everything

from opal.settings import child_environment

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def walk_through() -> str:
    """The shell commands, without the two lines that everybody fills in for themselves."""
    section = PAGE.read_text("utf-8").partition("## A walk-through with curl")[2].partition("\n## ")[0]
    setting, *steps = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    assert "KEY=" in setting
    return "\n".join(steps)


async def test_the_walk_through_works_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "mug.jpg").write_bytes(photo())
    async with everything(tmp_path / "data") as api:
        shell = await asyncio.create_subprocess_exec(
            *("bash", "-euo", "pipefail", "-c", walk_through()),
            cwd=tmp_path,
            env=child_environment({"OPAL": api.url, "KEY": api.client.headers["X-API-Key"]}),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(60):
            output = (await shell.communicate())[0].decode()
        assert shell.returncode == 0, output
        assert await api.credits() == (CREDITS - 1, 0)
    assert '"finished":true' in output
    assert archived(tmp_path) == ("exported", ["report.json", "mug/amazon-main.jpg", "mug/square-1x1.jpg"])


def archived(folder: Path) -> tuple[str, list[str]]:
    """What the one archive in the folder says of its item, and its files."""
    [archive] = folder.glob("opal-*.zip")
    with zipfile.ZipFile(archive) as opened:
        [item] = json.loads(opened.read("report.json"))["items"]
        return item["status"], opened.namelist()
