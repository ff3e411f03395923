"""Commands that need no services: their results, their JSON, their exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.journeys.opal_process import opal

from opal.cutout.models import model_spec


def test_help_lists_every_command_and_loads_none(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom opal.cli.main import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'pydantic', 'numpy', 'pyvips', 'sqlalchemy', 'fastapi', 'httpx', 'rich.console'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "LOADED []"
    for command in ("process", "up", "demo", "doctor", "web-api", "scoring", "queues"):
        assert f"\n  {command} " in done.stdout


def test_version_is_printed_by_option_and_by_command(tmp_path: Path) -> None:
    by_option = opal("--version", cwd=tmp_path)
    by_command = opal("version", "--json", cwd=tmp_path)
    assert by_option.returncode == by_command.returncode == 0
    assert json.loads(by_command.stdout)["opal"] == by_option.stdout.strip()


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("queues", "peek", "nonsense"),
        ("credits", "grant", "local", "0"),
        ("keys", "create", "--tenant", "../x"),
        ("webhooks", "list"),
        ("process", "missing.jpg", "--out", "out"),
        ("process", ".", "--out", "out", "--scene", "nonsense"),
        ("process", ".", "--out", "out", "--preset", "nonsense"),
    ],
)
def test_bad_usage_ends_with_two_and_no_traceback(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = opal(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"not looked at")
    (tmp_path / "file").write_text("in the way")
    done = opal("process", "photo.jpg", "--out", "file/out", cwd=tmp_path)
    assert done.returncode == 1
    assert "file_unusable" in done.stderr
    assert "file/out" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_file_name_is_not_markup(tmp_path: Path) -> None:
    (tmp_path / "[bold]red[bold].jpg").write_bytes(b"no picture")
    done = opal("process", "[bold]red[bold].jpg", "--out", "out", cwd=tmp_path)
    assert "[bold]red[bold].jpg" in done.stdout


def test_doctor_tells_damaged_weights(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    changes = {"OPAL_MODELS_DIR": str(models), "OPAL_DATA_DIR": str(tmp_path / "data")}
    assert "opal models pull" in opal("doctor", cwd=tmp_path, changes=changes).stdout
    spec = model_spec("isnet")
    with (models / spec.file_name).open("wb") as file:
        file.truncate(spec.bytes)
    done = opal("doctor", cwd=tmp_path, changes=changes)
    assert done.returncode == 1
    assert "sha256" in done.stdout


def test_a_wrong_group_setting_is_named_once(tmp_path: Path) -> None:
    done = opal("keys", "list", cwd=tmp_path, changes={"OPAL_QUEUE_LOCK_S": "-4", "OPAL_LOG_LEVEL": "loud"})
    assert done.stderr.count("OPAL_") == 2, done.stderr


def test_a_wrong_setting_is_named_in_one_line(tmp_path: Path) -> None:
    done = opal("keys", "list", cwd=tmp_path, changes={"OPAL_WEB_PORT": "many"})
    assert done.returncode == 2
    assert "OPAL_WEB_PORT" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_keys_credits_and_queues_tell_scripts_what_they_did(tmp_path: Path) -> None:
    data = {"OPAL_DATA_DIR": str(tmp_path / "data")}
    unknown = opal("credits", "grant", "acme", "5", cwd=tmp_path, changes=data)
    assert (unknown.returncode, "not_found" in unknown.stderr) == (1, True)

    key = json.loads(opal("keys", "create", "--tenant", "acme", "--json", cwd=tmp_path, changes=data).stdout)
    assert key["key"].startswith(f"opal_{key['id']}_")
    listed = json.loads(opal("keys", "list", "--json", cwd=tmp_path, changes=data).stdout)
    assert [(each["id"], each["revoked_at"]) for each in listed] == [(key["id"], None)]
    assert key["key"] not in json.dumps(listed)
    assert opal("keys", "revoke", key["id"], cwd=tmp_path, changes=data).returncode == 0
    listed = json.loads(opal("keys", "list", "--json", cwd=tmp_path, changes=data).stdout)
    assert listed[0]["revoked_at"] is not None

    opal("credits", "grant", "acme", "5", cwd=tmp_path, changes=data)
    shown = json.loads(opal("credits", "show", "acme", "--json", cwd=tmp_path, changes=data).stdout)
    assert (shown["available"], [entry["kind"] for entry in shown["entries"]]) == (5, ["grant"])

    queues = json.loads(opal("queues", "list", "--json", cwd=tmp_path, changes=data).stdout)
    assert [(each["queue"], each["active"], each["dead"]) for each in queues] == [
        ("jobs", 0, 0),
        ("exports", 0, 0),
    ]
    redriven = opal("queues", "redrive", "jobs", "--json", cwd=tmp_path, changes=data)
    assert json.loads(redriven.stdout) == {"queue": "jobs", "redriven": 0}


def test_presets_and_scenes_are_listed_for_people_and_scripts(tmp_path: Path) -> None:
    for command, known in (("presets", "amazon-main"), ("scenes", "studio-white")):
        assert known in opal(command, cwd=tmp_path).stdout
        names = [each["name"] for each in json.loads(opal(command, "--json", cwd=tmp_path).stdout)]
        assert known in names
    models = json.loads(opal("scenes", "--models", cwd=tmp_path).stdout)
    assert models["placement"]["properties"]["margin"]["examples"] == [0.12]
    (tmp_path / "file").touch()
    refused = opal("scenes", "--thumbnails", "file", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "names a folder" in refused.stderr
