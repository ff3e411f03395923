"""`failures.json` of `opal process`, and `--retry`: what failed is listed, and done again as it was to be."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.tiny_onnx import mean_network
from typer.testing import CliRunner, Result

from opal.cli.process import app
from opal.cli.process_failures import FAILURES_NAME, to_retry
from opal.cli.shown_name import key_path, path_key, shown
from opal.errors import InvalidInput, ModelMissing
from opal.images.encode import encode


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with an engine that is loaded at once, and no settings of the person who runs the tests."""
    (tmp_path / "tiny.onnx").write_bytes(mean_network(64))
    (tmp_path / "tiny.toml").write_text("side = 64\n")
    (tmp_path / "photos").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("OPAL_SCORING_ENGINE", str(tmp_path / "tiny.onnx"))
    monkeypatch.chdir(tmp_path)


def cut_out_already() -> bytes:
    """A photo that brings its cut-out, so that no network has to find it."""
    codes = np.full((200, 200, 4), 90, np.uint8)
    codes[..., 3] = 0
    codes[40:-40, 60:-60, 3] = 255
    return encode(codes, "png", 90)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def listed() -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(Path("out", FAILURES_NAME).read_text("utf-8"))["failures"]
    return told


def test_what_failed_is_listed_and_done_again_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = cut_out_already()
    Path("photos", "good.png").write_bytes(whole)
    Path("photos", "cut.png").write_bytes(whole[:200])
    broken = Path(os.fsdecode(b"photos/caf\xe9.png"))
    broken.write_bytes(b"no picture")
    Path("kitchen.json").write_text('{"kind": "solid", "colour": "#e8e4dc"}')
    first = run("photos", "--scene", "kitchen.json", "--preset", "thumbnail-webp", "--out", "out")
    assert first.exit_code == 1, first.output
    assert "opal process --retry out" in first.stdout
    assert {(Path(each["photo"]).name, each["code"]) for each in listed()} == {
        ("cut.png", "image_truncated"),
        ("caf%E9.png", "unsupported_format"),
    }
    assert all(each["message"] for each in listed())
    assert "opal process --retry" in Path("out", "report.html").read_text("utf-8")

    made = Path("out", "good", "thumbnail-webp.webp")
    before = made.stat().st_mtime_ns
    Path("photos", "cut.png").write_bytes(whole)
    monkeypatch.chdir(tmp_path / "elsewhere")
    second = run("--retry", "../out", "--json")
    assert second.exit_code == 1, second.output
    told = {item["source"]: item["status"] for item in json.loads(second.stdout)["items"]}
    assert told == {"cut.png": "exported", "caf\\xe9.png": "failed"}, "these, and no other"
    monkeypatch.chdir(tmp_path)
    assert [each["code"] for each in listed()] == ["unsupported_format"]
    assert made.stat().st_mtime_ns == before

    broken.write_bytes(whole)
    third = run("--retry", "out")
    assert third.exit_code == 0, third.output
    assert not Path("out", FAILURES_NAME).exists(), "nothing failed, nothing is listed"
    report = json.loads(Path("out", "report.json").read_text("utf-8"))
    assert [item["status"] for item in report["items"]] == ["exported"] * 3
    again = run("--retry", "out")
    assert (again.exit_code, again.stdout) == (0, "No photo of out/ has failed.\n")


def test_each_photo_is_done_again_as_it_was_to_be_made() -> None:
    for name, preset in (("a", "thumbnail-webp"), ("b", "thumbnail-avif")):
        Path("photos", f"{name}.png").write_bytes(b"no picture")
        run(f"photos/{name}.png", "--preset", preset, "--out", "out")
        Path("photos", f"{name}.png").write_bytes(cut_out_already())
    assert run("--retry", "out").exit_code == 0
    assert {path.name for path in Path("out").glob("[ab]/thumb*")} == {
        "thumbnail-webp.webp",
        "thumbnail-avif.avif",
    }


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--retry", "nowhere"), "nowhere is not a folder"),
        (("--retry", "photos", "--seed", "0"), "leave out seed"),
        (("photos", "--retry", "photos"), "leave out photos"),
        (("--retry", "photos", "-m", "isnet"), "leave out model"),
        (("photos",), "or a folder to --retry"),
        ((), "or a folder to --retry"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: tuple[str, ...], reason: str) -> None:
    refused = run(*arguments).exception
    assert isinstance(refused, InvalidInput)
    assert reason in refused.message


def test_a_retry_has_the_engine_that_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the settings name another by now, and from another folder; without it nothing is made."""
    named = Path("caf\udce9.onnx")
    named.write_bytes(mean_network(64))
    Path("caf\udce9.toml").write_text("side = 64\n")
    Path("photos", "a.png").write_bytes(b"no picture")
    run("photos", "-m", str(named), "--preset", "thumbnail-webp", "--out", "out")
    Path("photos", "a.png").write_bytes(cut_out_already())
    (made,) = to_retry(Path("out"))
    assert made.engine == str(tmp_path / named)

    named.rename("away.onnx")
    monkeypatch.chdir(tmp_path / "elsewhere")
    missing = run("--retry", "../out").exception
    assert isinstance(missing, ModelMissing)
    assert shown(named) in shown(missing.message)
    (tmp_path / "away.onnx").rename(tmp_path / named)
    monkeypatch.setenv("OPAL_SCORING_ENGINE", "no-such-engine")
    assert run("--retry", "../out").exit_code == 0
    assert (tmp_path / "out" / "a" / "thumbnail-webp.webp").is_file()


def test_a_list_without_engines_is_done_again_with_the_settings_own() -> None:
    Path("photos", "a.png").write_bytes(b"no picture")
    run("photos", "--preset", "thumbnail-webp", "--out", "out")
    told = json.loads(Path("out", FAILURES_NAME).read_text("utf-8"))
    for options in told["options"].values():
        assert options.pop("engine") == str(Path("tiny.onnx").absolute())
    Path("out", FAILURES_NAME).write_text(json.dumps(told))
    Path("photos", "a.png").write_bytes(cut_out_already())
    assert run("--retry", "out").exit_code == 0


def test_somebody_elses_list_is_never_overwritten() -> None:
    Path("out").mkdir()
    Path("out", FAILURES_NAME).write_text('["mine"]')
    Path("photos", "a.png").write_bytes(b"no picture")
    assert isinstance(run("photos", "--out", "out").exception, InvalidInput)
    assert Path("out", FAILURES_NAME).read_text() == '["mine"]'


def test_a_photo_of_unknown_options_is_told_instead_of_guessed() -> None:
    Path("photos", "a.png").write_bytes(b"no picture")
    run("photos", "--out", "out")
    told = json.loads(Path("out", FAILURES_NAME).read_text("utf-8"))
    Path("out", FAILURES_NAME).write_text(json.dumps(told | {"options": {}}))
    with pytest.raises(InvalidInput, match="run the command that made it again"):
        to_retry(Path("out"))


@pytest.mark.parametrize("name", [b"caf\xe9 %41.jpg", "café.jpg".encode(), b"file:x.jpg"])
def test_a_path_is_what_its_key_says(name: bytes) -> None:
    path = Path("/photos", os.fsdecode(name))
    assert key_path(path_key(path)) == path
