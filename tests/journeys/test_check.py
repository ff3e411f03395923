"""`opal check` on a merchant's old catalogue: verdicts, table, JSON, page and exit code."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from tests.journeys.opal_process import opal
from tests.unit.tiny_onnx import mean_network

from opal.images.encode import encode

SAMPLE = Path(__file__).parents[2] / "samples" / "photos" / "stoneware-mug.jpg"
QUICK = {"OPAL_SCORING_ENGINE": "tiny.onnx"}
"""An engine that needs no weights and takes what is bright for the product."""


def catalogue(folder: Path) -> Path:
    """A cut-out of its own, a bright product on black, a damaged file and one that is no picture."""
    (folder / "tiny.onnx").write_bytes(mean_network(64))
    (folder / "tiny.toml").write_text("side = 64\nmean = [0, 0, 0]\n")
    old = folder / "old"
    (old / "more").mkdir(parents=True)
    codes = np.full((300, 300, 4), 120, np.uint8)
    codes[..., 3] = 0
    codes[10:-10, 60:-60, 3] = 255
    (old / "cut <b>out.png").write_bytes(encode(codes, "png", 90))
    bright = np.zeros((640, 640, 3), np.uint8)
    bright[64:-64, 64:-64] = 250
    whole = encode(bright, "jpeg", 92)
    (old / "more" / "bright.jpg").write_bytes(whole)
    (old / "torn.jpg").write_bytes(whole[: len(whole) // 2])
    (old / "text.png").write_text("no picture")
    return old


def pictures(stdout: str) -> dict[str, dict[str, Any]]:
    return {Path(picture["file"]).name: picture for picture in json.loads(stdout)["pictures"]}


def test_every_file_is_judged_or_its_error_told(tmp_path: Path) -> None:
    catalogue(tmp_path)
    shutil.copy(tmp_path / "old" / "more" / "bright.jpg", tmp_path / "old" / os.fsdecode(b"caf\xe9.jpg"))
    command = ("check", "old", "--preset", "cutout-png", "--preset", "amazon-main")
    done = opal(*command, "--json", cwd=tmp_path, changes=QUICK)
    assert done.returncode == 1, done.stderr
    found = pictures(done.stdout)
    assert {name: (each["error"] or {}).get("code") for name, each in found.items()} == {
        "cut <b>out.png": None,
        "bright.jpg": None,
        "caf\\xe9.jpg": None,
        "torn.jpg": "image_truncated",
        "text.png": "unsupported_format",
    }
    cutout, amazon = found["cut <b>out.png"]["presets"]
    assert (cutout["passed"], amazon["passed"]) == (True, False)
    rules = {rule["rule"]: rule for rule in found["bright.jpg"]["presets"][1]["rules"]}
    assert rules["fill_share"]["measured"] == pytest.approx(0.8, abs=0.03)
    assert rules["background_border"]["verdict"] == "failed"
    assert rules["upscaling"]["verdict"] == "not judged"
    assert rules["upscaling"]["why"]

    told = opal(*command, cwd=tmp_path, changes=QUICK)
    assert told.returncode == 1
    assert "old/torn.jpg: The JPEG file ends before its pixels do" in told.stderr
    assert "[image_truncated]" in told.stderr
    assert "Traceback" not in told.stderr
    assert "cut <b>out.png" in told.stdout
    assert "0 of 5 pictures keep every required rule" in told.stdout
    assert "By preset: cutout-png 1 of 3, amazon-main 0 of 3." in told.stdout


def test_right_pictures_end_with_zero_and_a_page(tmp_path: Path) -> None:
    old = catalogue(tmp_path)
    done = opal(
        *("check", str(old / "cut <b>out.png"), "--preset", "cutout-png", "--html", "pages/old.html"),
        cwd=tmp_path,
        changes=QUICK,
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "pages" / "old.html").read_text("utf-8")
    assert "cut &lt;b&gt;out.png" in page
    assert "<b>" not in page
    assert 'href="../old/cut%20%3Cb%3Eout.png"' in page
    thumbnail = pyvips.Image.new_from_buffer(
        (tmp_path / "pages" / "old_thumbnails" / "000000.webp").read_bytes(), ""
    )
    assert (thumbnail.width, thumbnail.hasalpha()) == (240, True)


def test_a_channels_own_rules_can_be_asked_for_alone(tmp_path: Path) -> None:
    old = catalogue(tmp_path)
    command = ("check", str(old / "more" / "bright.jpg"), "--preset", "amazon-main", "--channel-only")
    done = opal(*command, "--json", cwd=tmp_path, changes=QUICK)
    [preset] = pictures(done.stdout)["bright.jpg"]["presets"]
    assert {rule["authority"] for rule in preset["rules"]} == {"official", "second-hand"}
    refused = opal(*command[:-2], "square-1x1", "--channel-only", cwd=tmp_path, changes=QUICK)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("old",),
        ("old", "--preset", "nonsense"),
        ("nowhere", "--preset", "amazon-main"),
        ("empty", "--preset", "amazon-main"),
        # A picture's name by mistake must not cost the picture.
        ("old", "--preset", "amazon-main", "--html", "old/torn.jpg"),
    ],
)
def test_bad_usage_ends_with_two(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    old = catalogue(tmp_path)
    (tmp_path / "empty").mkdir()
    before = (old / "torn.jpg").read_bytes()
    done = opal("check", *arguments, cwd=tmp_path, changes=QUICK)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert (old / "torn.jpg").read_bytes() == before


def test_an_engine_that_cannot_be_loaded_ends_the_run_in_one_line(tmp_path: Path) -> None:
    old = catalogue(tmp_path)
    changes = {"OPAL_SCORING_ENGINE": "missing.onnx"}
    command = ("check", str(old / "more"), "--preset", "amazon-main")
    done = opal(*command, cwd=tmp_path, changes=changes)
    assert done.returncode == 1
    assert "[model_missing]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.xdist_group("network")
def test_what_process_made_passes_its_own_check(tmp_path: Path) -> None:
    shutil.copy(SAMPLE, tmp_path / "mug.jpg")
    options = ("--preset", "amazon-main", "--preset", "bol-main")
    made = opal("process", "mug.jpg", *options, "--out", "out", "--json", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    own = {
        (variant["preset"], rule["rule"]): rule["measured"]
        for variant in json.loads(made.stdout)["items"][0]["variants"]
        for rule in variant["compliance"]
    }
    for preset in ("amazon-main", "bol-main"):
        done = opal("check", f"out/mug/{preset}.jpg", "--preset", preset, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stdout
        [checked] = pictures(done.stdout)[f"{preset}.jpg"]["presets"]
        rules = {rule["rule"]: rule["measured"] for rule in checked["rules"]}
        for rule, measured in rules.items():
            if rule in {"fill_share", "clearance", "product_longest_side"}:
                assert measured == pytest.approx(own[preset, rule], rel=0.02, abs=6)
            elif rule not in {"upscaling", "ai_marking"}:
                assert measured == own[preset, rule], rule
