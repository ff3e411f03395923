"""`opal process` killed again and again ends with the same bytes as a run that nobody disturbed."""

import json
import random
import signal
import time
from pathlib import Path

import numpy as np
import pyvips
from tests.journeys.opal_process import opal, running
from tests.unit.tiny_onnx import mean_network

PHOTOS, KILLS = 10, 3
"""`kill_again_and_again` holds for 200 photos and 20 kills too, which takes some minutes."""
OPTIONS = ("--preset", "thumbnail-webp", "--preset", "cutout-png", "--workers", "2")
JOURNAL = ".opal-process.jsonl"
QUICK = {"OPAL_SCORING_ENGINE": "tiny.onnx"}
"""An engine that is loaded at once; no photo here needs one."""


def draw(folder: Path, count: int) -> None:
    """Photos that bring their own cut-out, so that no network is asked; every other one of a name in use."""
    folder.mkdir()
    (folder.parent / "tiny.onnx").write_bytes(mean_network(64))
    (folder.parent / "tiny.toml").write_text("side = 64\n")
    rng = np.random.default_rng(7)
    rows, columns = np.mgrid[-1:1:240j, -1:1:240j]
    for number in range(count):
        codes = np.empty((240, 240, 4), np.uint8)
        codes[...] = rng.integers(20, 230, 4)
        codes[..., 0] = (40 * rows + 40 * columns + 120).astype(np.uint8)
        codes[..., 3] = np.where(np.hypot(rows, columns) < 0.8, 255, 0)
        place = folder / ("a" if number % 2 else "b") / f"mug-{number // 2}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        pyvips.Image.new_from_array(codes).copy(interpretation="srgb").pngsave(str(place))


def written(journal: Path) -> int:
    """Photos that the journal calls done."""
    try:
        return sum(b'"item":{' in line for line in journal.read_bytes().splitlines())
    except FileNotFoundError:
        return 0


def files(out: Path) -> dict[str, bytes]:
    """Every file of a result folder but the reports, whose seconds differ."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in {"report.json", "report.html"}
    }


def kill_again_and_again(folder: Path, photos: int, kills: int) -> None:
    """Kill a run a moment after each of its first photos, then let it end, and hold it against another."""
    draw(folder / "photos", photos)
    rng = random.Random(11)
    journal = folder / "killed" / JOURNAL
    for _ in range(kills):
        before = written(journal)
        with running("process", "photos", *OPTIONS, "--out", "killed", cwd=folder, changes=QUICK) as process:
            deadline = time.monotonic() + 60.0
            while written(journal) == before and process.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            # The moment of death is what is drawn at random here; nothing is being waited for.
            time.sleep(rng.uniform(0.0, 0.15))
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert process.returncode == -signal.SIGKILL, "it had ended before it was killed"
    for out in ("killed", "undisturbed"):
        done = opal("process", "photos", *OPTIONS, "--out", out, "--json", cwd=folder, changes=QUICK)
        assert done.returncode == 0, done.stderr
    killed, undisturbed = files(folder / "killed"), files(folder / "undisturbed")
    # Two pictures and a matte, and thumbnails of both pictures and of the photo.
    assert len(undisturbed) == 6 * photos
    assert killed == undisturbed
    report = json.loads((folder / "killed" / "report.json").read_text("utf-8"))
    assert len(report["items"]) == photos


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, PHOTOS, KILLS)


def test_pictures_half_made_over_old_ones_are_not_taken_for_the_old_ones(tmp_path: Path) -> None:
    draw(tmp_path / "photos", 6)
    small = ("--preset", "thumbnail-webp")
    first = opal("process", "photos", *small, "--seed", "1", "--out", "out", cwd=tmp_path, changes=QUICK)
    assert first.returncode == 0, first.stderr
    journal = tmp_path / "out" / JOURNAL
    with running(
        "process", "photos", *small, "--seed", "2", "--out", "out", cwd=tmp_path, changes=QUICK
    ) as process:
        while written(journal) == 0 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    again = opal("process", "photos", *small, "--seed", "1", "--out", "out", cwd=tmp_path, changes=QUICK)
    assert again.returncode == 0, again.stderr
    assert "unchanged" not in again.stdout


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    draw(tmp_path / "photos", 6)
    with running("process", "photos", *OPTIONS, "--out", "out", cwd=tmp_path, changes=QUICK) as process:
        while written(tmp_path / "out" / JOURNAL) == 0 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGSTOP)
        second = opal("process", "photos", *OPTIONS, "--out", "out", cwd=tmp_path, changes=QUICK)
        assert second.returncode == 2
        assert "Another `opal process` is working in out" in second.stderr
        process.send_signal(signal.SIGCONT)
        process.wait(60)
        assert process.returncode == 0
    assert not (tmp_path / "out" / JOURNAL).exists()
