"""`opal process` on good and bad files: results, report, exit code, and doing only what is new."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import pyvips
from tests.journeys.opal_process import opal
from tests.services.removebg_world import HEIGHT, WIDTH, cut_photo, pixels_of
from tests.unit.drawn_backdrops import picture_bytes, room_codes
from tests.unit.tiny_onnx import mean_network
from typer.testing import CliRunner, Result

from opal.cli.process import app as process_app
from opal.errors import InvalidInput
from opal.images.encode import encode

pytestmark = pytest.mark.xdist_group("network")

PHOTOS = sorted((Path(__file__).parents[2] / "samples" / "photos").glob("*.jpg"))
OPTIONS = (
    "--preset",
    "square-1x1",
    "--preset",
    "cutout-png",
    "--scene",
    "studio-warm",
    "--out",
    "out",
    "--json",
)


@pytest.mark.parametrize(
    "content", [b'{"my": "own"}', b"\xff\xfe\x00", b'{"opal": "1", "seconds": 1, "items": []}x']
)
def test_somebody_elses_report_is_never_overwritten(tmp_path: Path, content: bytes) -> None:
    shutil.copy(PHOTOS[0], tmp_path / "mug.jpg")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.json").write_bytes(content)
    done = opal("process", "mug.jpg", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "choose another --out" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / "out" / "report.json").read_bytes() == content


def test_good_photos_are_done_bad_ones_told_and_nothing_is_done_twice(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    (photos / "more").mkdir(parents=True)
    shutil.copy(PHOTOS[0], photos / "mug.jpg")
    shutil.copy(PHOTOS[1], photos / "more" / "mug.jpg")
    (photos / "cut.jpg").write_bytes(PHOTOS[0].read_bytes()[:20_000])
    (photos / "text.png").write_text("not a picture")
    (photos / "notes.txt").write_text("not looked at")

    first = opal("process", "photos", *OPTIONS, cwd=tmp_path)
    assert first.returncode == 1, first.stderr
    report = json.loads(first.stdout)
    by_status = {
        (item["source"], item["status"], (item["error"] or {}).get("code")) for item in report["items"]
    }
    assert by_status == {
        ("mug.jpg", "exported", None),
        ("cut.jpg", "failed", "image_truncated"),
        ("text.png", "failed", "unsupported_format"),
    }
    good = [item for item in report["items"] if item["status"] == "exported"]
    folders = sorted(Path(item["matte"]).parent.name for item in good)
    assert folders == ["mug", "mug-2"]
    for item in good:
        assert item["fidelity"]["silhouette_iou"] > 0.98
        for variant in item["variants"]:
            assert (tmp_path / "out" / variant["path"]).stat().st_size == variant["bytes"]
            assert {"rule", "measured", "limit", "passed", "level", "fixed"} == set(variant["compliance"][0])

    picture = tmp_path / "out" / "mug" / "square-1x1.jpg"
    made_at = picture.stat().st_mtime_ns
    for bad in ("cut.jpg", "text.png"):
        (photos / bad).unlink()
    (tmp_path / "out" / "mug-2" / "cutout-png.png").unlink()
    second = opal("process", "photos", *OPTIONS, cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    assert len(json.loads(second.stdout)["items"]) == 2
    assert picture.stat().st_mtime_ns == made_at
    assert (tmp_path / "out" / "mug-2" / "cutout-png.png").exists()
    kept = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert {item["source"] for item in kept["items"]} >= {"mug.jpg"}
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "mug.jpg" in page
    assert 'src="_thumbnails/mug-2/cutout-png.webp"' in page


def test_a_name_that_is_no_utf_8_is_reported_and_known_again(tmp_path: Path) -> None:
    codes = np.full((200, 200, 4), 90, np.uint8)
    codes[..., 3] = 0
    codes[40:-40, 60:-60, 3] = 255
    (tmp_path / "tiny.onnx").write_bytes(mean_network(64))
    (tmp_path / "tiny.toml").write_text("side = 64\n")
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in (b"caf\xe9.png", b"caf\xe8.png", "café.png".encode()):
        (photos / os.fsdecode(name)).write_bytes(encode(codes, "png", 90))
    command = ("process", "photos", "--preset", "thumbnail-webp", "--out", "out")
    quick = {"OPAL_SCORING_ENGINE": "tiny.onnx"}
    first = opal(*command, "--json", cwd=tmp_path, changes=quick)
    assert first.returncode == 0, first.stderr
    items = json.loads(first.stdout)["items"]
    assert {item["source"] for item in items} == {"caf\\xe9.png", "caf\\xe8.png", "café.png"}
    assert len({item["matte"] for item in items}) == 3
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert all(item["source"] in page for item in items)
    again = opal(*command, cwd=tmp_path, changes=quick)
    assert "3 of 3 photos, 3 of them unchanged" in again.stdout


def test_somebody_elses_page_is_never_overwritten(tmp_path: Path) -> None:
    shutil.copy(PHOTOS[0], tmp_path / "mug.jpg")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.html").write_text("<html>mine</html>")
    done = opal("process", "mug.jpg", "--out", "out", cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert (tmp_path / "out" / "report.html").read_text() == "<html>mine</html>"


def backdrop_scene(folder: Path, **fields: object) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "room.png").write_bytes(picture_bytes(room_codes()))
    scene = {"kind": "backdrop", "picture": "room.png", "ground": 0.85, **fields}
    (folder / "room.json").write_text(json.dumps(scene), "utf-8")


def cut_out_already(path: Path) -> dict[str, str]:
    """A sample that brings its own cut-out, and settings with an engine that is loaded at once."""
    photo = pyvips.Image.new_from_file(str(PHOTOS[0]))
    alpha = pyvips.Image.new_from_file(str(PHOTOS[0].parents[1] / "alpha" / f"{PHOTOS[0].stem}.png"))
    if alpha.format == "ushort":
        alpha = (alpha / 257).rint().cast("uchar")
    photo.bandjoin(alpha.extract_band(0)).pngsave(str(path))
    (path.parent / "tiny.onnx").write_bytes(mean_network(64))
    (path.parent / "tiny.toml").write_text("side = 64\n")
    return {"OPAL_SCORING_ENGINE": "tiny.onnx"}


def test_a_product_stands_on_a_picture_of_ones_own_until_that_picture_changes(tmp_path: Path) -> None:
    backdrop_scene(tmp_path / "scenes", blur=0.3, match=0.5)
    engine = cut_out_already(tmp_path / "mug.png")
    command = ("process", "mug.png", "--scene", "scenes/room.json", "--out", "out", "--json")
    first = opal(*command, cwd=tmp_path, changes=engine)
    assert first.returncode == 0, first.stderr
    [variant] = json.loads(first.stdout)["items"][0]["variants"]
    assert variant["backdrop_enlargement"] == pytest.approx(2000 / 900, abs=0.01)
    assert 0 < variant["fidelity"]["light_match"]["mean_de"] < 6
    picture = tmp_path / "out" / variant["path"]
    made_at = picture.stat().st_mtime_ns
    (tmp_path / "scenes").rename(tmp_path / "moved")
    again = ("process", "mug.png", "--scene", "moved/room.json", "--out", "out")
    assert "unchanged" in opal(*again, cwd=tmp_path, changes=engine).stdout
    assert picture.stat().st_mtime_ns == made_at
    (tmp_path / "moved" / "room.png").write_bytes(picture_bytes(room_codes(floor=(90, 40, 40))))
    changed = opal(*again, cwd=tmp_path, changes=engine)
    assert "unchanged" not in changed.stdout
    assert "light matched to the backdrop" in " ".join(changed.stdout.split())
    assert picture.stat().st_mtime_ns > made_at
    # Photos are taken otherwise under another limit, so what was made under the old one says nothing.
    halved = opal(*again, cwd=tmp_path, changes={**engine, "OPAL_PHOTO_OVERSIZE": "halve"})
    assert (halved.returncode, "unchanged" in halved.stdout) == (0, False)


def test_a_lost_backdrop_is_one_line_and_bad_usage(tmp_path: Path) -> None:
    backdrop_scene(tmp_path)
    (tmp_path / "room.png").unlink()
    shutil.copy(PHOTOS[0], tmp_path / "mug.jpg")
    done = opal("process", "mug.jpg", "--scene", "room.json", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "room.png: No such file or directory. [backdrop_unusable]" in done.stderr
    assert not (tmp_path / "out").exists()


def test_flat_folders_are_as_rembg_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.onnx").write_bytes(mean_network(64))
    photos, out = tmp_path / "photos", tmp_path / "out"
    (photos / "more").mkdir(parents=True)
    for name in ("mug.png", "more/mug.png"):
        (photos / name).write_bytes(cut_photo())
    (photos / "bad.jpg").write_bytes(b"no picture")

    def flat(*options: str, to: str = "out") -> Result:
        return CliRunner().invoke(process_app, ["-m", "tiny.onnx", "--flat", *options, "photos", to])

    first = flat()
    assert (first.exit_code, "bad.jpg: " in first.stderr) == (1, True), first.output
    assert sorted(path.name for path in out.iterdir()) == ["mug-2.png", "mug.png"]
    assert pixels_of((out / "mug.png").read_bytes()).shape == (HEIGHT, WIDTH, 4)

    (photos / "bad.jpg").unlink()
    (out / "mug.png").write_bytes(b"my own")
    again = json.loads(flat("--json").stdout)
    assert [item["status"] for item in again["items"]] == ["kept", "kept"]
    assert (out / "mug.png").read_bytes() == b"my own"

    assert flat("-om", "-bgc", "0", "0", "0", "255", to="masks").exit_code == 0
    assert pixels_of((tmp_path / "masks" / "mug.png").read_bytes()).shape == (HEIGHT, WIDTH, 1)
    assert flat("-bgc", "255", "0", "0", "255", to="red").exit_code == 0
    assert tuple(pixels_of((tmp_path / "red" / "mug.png").read_bytes())[2, 2]) == (255, 0, 0)


@pytest.mark.parametrize(
    "options", [("--flat", "--preset", "square-1x1"), ("-om",), ("--flat", "-bgc", "0", "0", "0", "256")]
)
def test_options_that_do_not_go_together_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mug.png").write_bytes(cut_photo())
    done = CliRunner().invoke(process_app, [*options, "mug.png", "out"])
    assert isinstance(done.exception, InvalidInput)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "options",
    [
        ("--flat", "-m", "nonsense"),
        ("--flat", "-m", "broken.onnx"),
        ("-m", "nonsense"),
        ("--preset", "nonsense"),
        ("--placement", "[]"),
    ],
)
def test_a_run_that_never_began_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mug.png").write_bytes(cut_photo())
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    done = CliRunner().invoke(process_app, [*options, "mug.png", "out"])
    assert isinstance(done.exception, InvalidInput), done.output
    assert not (tmp_path / "out").exists()
