"""How good cut-outs are, how fast, and in how much memory: Opal beside rembg with the very same weights.

Measured on the samples (those in the cache too, see samples/README.md), as they are and enlarged to 12
megapixels, or on photos and masks of your own. Both sides take turns in processes of their own, warm, a
photo's bytes in and a PNG out. Prints tables; writes `benchmarks/results/cutout.json` and
`cutout-worst.png`, the worst places at 100 %.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "samples")]

from benchmarks.cutouts.cases import Case, enlarge, folder_cases, read_truth, sample_cases  # noqa: E402
from benchmarks.cutouts.figures import REMBG, Result, bars, grouped, summary  # noqa: E402
from benchmarks.cutouts.makers import Made, Maker  # noqa: E402
from benchmarks.cutouts.measures import measure  # noqa: E402
from benchmarks.cutouts.worst import Spot, draw, worst_spot  # noqa: E402

from opal.cutout.models import model_spec, verify_model  # noqa: E402
from opal.images.decode import decode_photo  # noqa: E402
from opal.settings import load_settings  # noqa: E402
from studio.cache import cache_folder  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
WORST = 8
"""Photos shown in the picture of the worst places."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to run."""

    photos: Path | None
    masks: Path | None
    engines: tuple[str, ...]
    enlarge: float
    rounds: int
    rembg: bool


def read_options() -> Options:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, help="a folder of photos instead of the samples")
    parser.add_argument("--masks", type=Path, help="their exact mattes: PNGs of the same stems")
    parser.add_argument("--engines", default="isnet", help="comma-separated, see `opal models list`")
    parser.add_argument(
        "--enlarge", type=float, help="also enlarge to so many megapixels; 12 for the samples, 0 for none"
    )
    parser.add_argument("--rounds", type=int, default=2, help="times each photo is done; the best counts")
    parser.add_argument("--no-rembg", action="store_true", help="measure Opal alone")
    given = parser.parse_args()
    if (given.photos is None) != (given.masks is None):
        parser.error("--photos and --masks go together")
    if not given.no_rembg and find_spec("rembg") is None:
        parser.error("rembg is not installed; `make bench` installs it, --no-rembg goes without")
    enlarged = 12.0 if given.photos is None else 0.0
    return Options(
        photos=given.photos,
        masks=given.masks,
        engines=tuple(given.engines.split(",")),
        enlarge=enlarged if given.enlarge is None else given.enlarge,
        rounds=max(1, given.rounds),
        rembg=not given.no_rembg,
    )


def find_cases(options: Options, folder: Path) -> list[Case]:
    """All photos, the enlarged ones in `folder`."""
    if options.photos is not None and options.masks is not None:
        cases = folder_cases(options.photos, options.masks)
    else:
        cases = [*sample_cases(ROOT / "samples"), *sample_cases(cache_folder())]
    return [*cases, *(enlarge(cases, options.enlarge, folder) if options.enlarge else [])]


def run(options: Options, folder: Path) -> tuple[list[Result], list[Spot]]:
    """Make and measure every cut-out."""
    cases = find_cases(options, folder)
    settings = load_settings()
    weights = verify_model(model_spec("isnet"), settings.models_dir)
    results: list[Result] = []
    spots: list[Spot] = []
    with ExitStack() as stack:
        makers = [Maker(f"opal {engine}", "opal", engine, folder) for engine in options.engines]
        if options.rembg:
            makers.append(Maker(REMBG, "rembg", str(weights), folder))
        for maker in makers:
            stack.enter_context(maker)
            maker.make(cases[0], read_truth(cases[0]).shape)  # warm: the first photo pays for everything
        for number, case in enumerate(cases, 1):
            print(f"{number}/{len(cases)} {case.name} {case.pixels / 1e6:.1f} MP", file=sys.stderr)
            made, spot = measure_case(case, makers, options.rounds)
            results += made
            spots.append(spot)
    return results, sorted(spots, key=lambda spot: -spot.error)[:WORST]


def measure_case(case: Case, makers: Sequence[Maker], rounds: int) -> tuple[list[Result], Spot]:
    """All makers' cut-outs of one photo, taking turns; the best time of all rounds counts."""
    truth = read_truth(case)
    best: dict[str, Made] = {}
    for _ in range(rounds):
        for maker in makers:
            made = maker.make(case, truth.shape)
            if maker.name not in best or made.seconds < best[maker.name].seconds:
                best[maker.name] = made
    results = [
        Result(
            case=case,
            maker=name,
            measures=measure(made.matte, truth),
            seconds=made.seconds,
            cpu_seconds=made.cpu_seconds,
            peak_mib=made.peak_mib,
            steps=made.steps,
            failed=made.failed,
            confidence=made.confidence,
        )
        for name, made in best.items()
    ]
    title = f"{case.name}, {case.pixels / 1e6:.1f} MP{' (enlarged)' if case.enlarged else ''}"
    mattes = {name: made.matte for name, made in best.items()}
    return results, worst_spot(title, decode_photo(case.photo).pixels, truth, mattes)


def gather(options: Options, results: Sequence[Result]) -> dict[str, Any]:
    """Everything the JSON file holds."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load_average": [round(load, 2) for load in os.getloadavg()],
        },
        "versions": {name: _version(name) for name in ("opal", "openvino", "rembg", "onnxruntime")},
        "weights": model_spec("isnet").sha256,
        "options": {name: str(getattr(options, name)) for name in Options.__slots__},
        "groups": [
            {
                "size": size,
                "kind": kind,
                "makers": {name: summary(each) for name, each in by_maker.items()},
            }
            for (size, kind), by_maker in grouped(results).items()
        ],
        "bars": {
            f"opal {engine}": [asdict(bar) for bar in bars(results, f"opal {engine}")]
            for engine in options.engines
        },
        "cutouts": [result.as_json() for result in results],
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def show(gathered: dict[str, Any]) -> None:
    """Print the figures as tables."""
    machine = gathered["machine"]
    print(f"{machine['cores']} cores, Python {machine['python']}, load average {machine['load_average'][0]}")
    print(", ".join(f"{name} {number}" for name, number in gathered["versions"].items() if number))
    head = f"{'':16}{'MAE':>9}{'IoU':>8}{'edge':>8}{'holes':>8}{'s':>8}{'CPU s':>8}{'MiB':>7}{'failed':>8}"
    for group in gathered["groups"]:
        photos = max(figures["photos"] for figures in group["makers"].values())
        print(f"\n{group['size']}, {group['kind']} ({photos})\n{head}")
        for name, each in group["makers"].items():
            holes, seconds, cpu = (
                "" if each[key] is None else f"{each[key]:.{places}f}"
                for key, places in (("holes", 3), ("seconds", 2), ("cpu_seconds", 2))
            )
            print(
                f"{name:16}{each['mae']:9.4f}{each['iou']:8.4f}{each['boundary']:8.4f}{holes:>8}"
                f"{seconds:>8}{cpu:>8}{each['peak_mib']:7.0f}{each['failed']:8}"
            )
    for name, rows in gathered["bars"].items():
        print(f"\n{name}: what is wanted")
        for bar in rows:
            print(f"{'yes' if bar['met'] else 'NO ':4}{bar['wanted']:64}{bar['measured']}")


def main() -> None:
    """Run, print, store."""
    options = read_options()
    with tempfile.TemporaryDirectory(prefix="opal-cutouts-") as folder:
        results, spots = run(options, Path(folder))
    gathered = gather(options, results)
    show(gathered)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "cutout.json").write_text(json.dumps(gathered, indent=2) + "\n")
    (RESULTS / "cutout-worst.png").write_bytes(draw(spots))
    print("\nbenchmarks/results/cutout.json, benchmarks/results/cutout-worst.png")


if __name__ == "__main__":
    main()
