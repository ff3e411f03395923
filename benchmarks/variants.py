"""How fast a photo and its matte become eight marketplace pictures: Opal beside sharp and Pillow.

The same crops, sizes, places and JPEG qualities for all, in one run, warm, each side in a process of its own
with two threads; from an original of 2048 pixels and from a JPEG of 12 megapixels. Opal appears twice: as the
export worker runs it, with the report on every picture, and the pictures alone. Prints a table; writes
`benchmarks/results/variants.json`.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.cutouts.cases import enlarge, sample_cases  # noqa: E402
from benchmarks.exports.side import THREADS  # noqa: E402
from benchmarks.exports.task import PRESETS, Task, plan  # noqa: E402
from benchmarks.peers.process import Side  # noqa: E402

from opal.cutout.npm_package import npm_command  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "variants.json"
SHARP = ROOT / "benchmarks" / "exports"
SAMPLE = "stoneware-mug"
SIZES = {"original of 4.2 MP": 2048 * 2048, "JPEG of 12 MP": 12_000_000}
SIDES = ("opal", "opal-pictures", "sharp", "pillow")


@dataclass(frozen=True, slots=True)
class Row:
    """What one side took for the eight pictures of one photo: medians over the rounds."""

    photo: str
    side: str
    seconds: float
    cpu_seconds: float
    peak_mib: float
    bytes: int
    """Of the eight files together."""
    ssim: float | None
    """Lowest structural similarity with sharp's pictures inside the product; None for sharp itself."""


def commands(node: str) -> dict[str, list[str]]:
    """How each side is started."""
    python = [sys.executable, "-m", "benchmarks.exports.side"]
    return {
        **{side: [*python, side] for side in SIDES if side != "sharp"},
        "sharp": [node, str(SHARP / "sharp_side.mjs")],
    }


def installed_sharp() -> str:
    """Install sharp by its lock where it is not; returns node. Raises CalledProcessError."""
    npm = npm_command()
    if not (SHARP / "node_modules" / "sharp").is_dir():
        subprocess.run([*npm, "ci", "--no-audit", "--no-fund"], cwd=SHARP, check=True)
    return npm[0] if len(npm) > 1 else str(shutil.which("node"))


def run(rounds: int, folder: Path) -> list[Row]:
    """All sides take turns over both photos."""
    [sample] = [case for case in sample_cases(ROOT / "samples") if case.name == SAMPLE]
    started = commands(installed_sharp())
    rows = []
    with ExitStack() as stack:
        sides = [stack.enter_context(Side(name, command)) for name, command in started.items()]
        for name, pixels in SIZES.items():
            [case] = enlarge([sample], pixels / 1e6, folder)
            print(f"{name}: {rounds} rounds", file=sys.stderr)
            rows += measure(name, plan(case.photo, case.mask), sides, rounds, folder)
    return rows


def measure(photo: str, task: Task, sides: Sequence[Side], rounds: int, folder: Path) -> list[Row]:
    """One photo, all sides, a round to warm up and `rounds` that count."""
    took: dict[str, list[dict[str, Any]]] = {side.name: [] for side in sides}
    peaks = dict.fromkeys(took, 0.0)
    for number in range(rounds + 1):
        for side in sides:
            side.forget_peak()
            answer = side.ask(task.for_side(side.name, folder))
            if number > 0:
                took[side.name].append(answer)
                peaks[side.name] = max(peaks[side.name], side.peak_mib())
    inside = [product_of(task, index) for index in range(len(task.pictures))]
    return [
        Row(
            photo=photo,
            side=name,
            seconds=statistics.median(each["seconds"] for each in answers),
            cpu_seconds=statistics.median(each["cpu_seconds"] for each in answers),
            peak_mib=peaks[name],
            bytes=sum((folder / f"{name}-{preset}.jpg").stat().st_size for preset in PRESETS),
            ssim=None
            if name == "sharp"
            else min(similar(folder, name, at, inside) for at in range(len(inside))),
        )
        for name, answers in took.items()
    ]


def product_of(task: Task, index: int) -> NDArray[np.bool_]:
    """Where a picture shows the product alone, some pixels away from its edge: (H, W)."""
    picture, box = task.pictures[index], task.box
    matte = pyvips.Image.new_from_file(task.matte).crop(box.left, box.top, box.width, box.height)
    place = picture.product
    resized = matte.resize(place.width / box.width, vscale=place.height / box.height)
    solid = resized.relational_const("moreeq", [250 if resized.format == "uchar" else 64250])
    whole = solid.embed(place.left, place.top, picture.width, picture.height).rank(13, 13, 0)
    inside: NDArray[np.bool_] = whole.numpy() > 0
    return inside


def similar(folder: Path, side: str, index: int, inside: Sequence[NDArray[np.bool_]]) -> float:
    """Mean structural similarity of luma with sharp's picture, inside the product."""
    one, other = (
        pyvips.Image.new_from_file(str(folder / f"{name}-{PRESETS[index]}.jpg")).colourspace("b-w").numpy()
        for name in (side, "sharp")
    )
    _, similarity = structural_similarity(one, other, full=True, gaussian_weights=True, data_range=255)
    return float(similarity[inside[index]].mean())


def show(rows: Sequence[Row]) -> None:
    """Print the figures as a table, each beside sharp's."""
    print(f"{'':20}{'side':16}{'s':>8}{'CPU s':>8}{'MiB':>7}{'MB':>7}{'SSIM':>8}{'speed':>10}{'memory':>10}")
    for row in rows:
        [sharp] = [each for each in rows if each.photo == row.photo and each.side == "sharp"]
        ssim = "" if row.ssim is None else f"{row.ssim:.4f}"
        print(
            f"{row.photo:20}{row.side:16}{row.seconds:8.2f}{row.cpu_seconds:8.2f}{row.peak_mib:7.0f}"
            f"{row.bytes / 1e6:7.2f}{ssim:>8}{sharp.seconds / row.seconds:8.2f} x"
            f"{row.peak_mib / max(sharp.peak_mib, 1.0):8.2f} x"
        )


def main() -> None:
    """Run, print, store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times each photo is done; the median counts")
    rounds = max(1, parser.parse_args().rounds)
    # The same number of threads for everyone: libvips' own, in sharp and in Opal, and those of Python.
    os.environ |= {"VIPS_CONCURRENCY": str(THREADS), "UV_THREADPOOL_SIZE": str(THREADS)}
    with tempfile.TemporaryDirectory(prefix="opal-variants-") as folder:
        rows = run(rounds, Path(folder))
    print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, load average {os.getloadavg()[0]:.1f}"
    )
    show(rows)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    document = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "rows": [asdict(row) for row in rows]}
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    print("\nbenchmarks/results/variants.json")


if __name__ == "__main__":
    main()
