"""How long one item takes: at the placement endpoint, and at the export worker by the number of presets.

The shipped photos enlarged to a phone's 12 megapixels, each stage alone in this process. What an item costs
the services around it is told by `pipeline.py`. Prints a table and writes
`benchmarks/results/service_times.json`; `infra/service_times.toml` keeps what docs/scaling.md reckons with.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.cutouts.cases import Case, enlarge, read_truth, sample_cases  # noqa: E402

from opal.export_worker.create_variants import create_variants  # noqa: E402
from opal.images.decode import decode_photo  # noqa: E402
from opal.images.matte import encode_matte, read_matte  # noqa: E402
from opal.marketplaces.presets import resolve_presets  # noqa: E402
from opal.messages.scoring_contract import OutputSas, ScoreRequest  # noqa: E402
from opal.placement.placement import Placement  # noqa: E402
from opal.placement.scene import SolidScene  # noqa: E402
from opal.scoring.score import init, run  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "service_times.json"
MEGAPIXELS = 12.0
PRESETS = (
    "amazon-main", "bol-main", "zalando-packshot", "shopify-product", "instagram-square", "thumbnail-webp",
    "google-merchant", "pinterest-pin",
)  # fmt: skip
COUNTS = (1, 8)
"""Two are enough for a line: a start, and so much a picture."""


@dataclass(frozen=True, slots=True)
class Row:
    """One stage: the mean over the photos of each one's quickest round, as other work can only add to it."""

    stage: str
    seconds: float
    """Means something on a quiet machine alone; CPU seconds bear company."""
    cpu_seconds: float
    cpu_spread: float
    """Standard deviation from photo to photo, as a share of the mean."""


class _Folder(SimpleHTTPRequestHandler):
    """Blob storage for one process: a folder that takes PUT as well."""

    def do_PUT(self) -> None:
        """Store the body under the path's name."""
        length = int(self.headers["Content-Length"])
        Path(self.translate_path(self.path)).write_bytes(self.rfile.read(length))
        self.send_response(201)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder's address on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Folder, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def quickest(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Least seconds and least CPU seconds of ``rounds``, after one to warm up."""
    took = []
    for number in range(rounds + 1):
        cpu, started = time.process_time(), time.perf_counter()
        work()
        if number:
            took.append((time.perf_counter() - started, time.process_time() - cpu))
    return min(seconds for seconds, _ in took), min(cpu for _, cpu in took)


def row(stage: str, works: list[Callable[[], object]], rounds: int) -> Row:
    """Measure every photo's work and sum up."""
    print(f"{stage}: {len(works)} photos", file=sys.stderr)
    figures = [quickest(work, rounds) for work in works]
    cpu = [each for _, each in figures]
    return Row(
        stage=stage,
        seconds=round(statistics.mean(seconds for seconds, _ in figures), 3),
        cpu_seconds=round(statistics.mean(cpu), 3),
        cpu_spread=round(statistics.pstdev(cpu) / statistics.mean(cpu), 3),
    )


def endpoint_row(cases: list[Case], folder: Path, rounds: int) -> Row:
    """The whole of `scoring.run`: fetch, cut out, place, measure, store; loopback stands for the network."""
    init()
    with served(folder) as address:

        def asked(case: Case) -> Callable[[], object]:
            request = ScoreRequest(
                tenant_id="bench",
                job_id="job",
                item_id=case.name,
                input_image_sas=f"{address}/{case.photo.name}",
                prompt="",
                output_sas=OutputSas(scene=f"{address}/scene.png", matte=f"{address}/matte.png"),
            )
            return lambda: run(request)

        return row("endpoint", [asked(case) for case in cases], rounds)


def export_row(cases: list[Case], presets: tuple[str, ...], rounds: int) -> Row:
    """What the export worker computes for an item: decode photo and matte, make pictures and reports."""

    def exported(case: Case) -> Callable[[], object]:
        photo, matte = case.photo.read_bytes(), encode_matte(read_truth(case))
        resolved = resolve_presets(presets)
        return lambda: create_variants(
            decode_photo(photo), read_matte(matte), SolidScene(), Placement(), resolved, seed=0
        )

    return row(f"export {len(presets)}", [exported(case) for case in cases], rounds)


def main() -> None:
    """Run, print, store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--photos", type=int, default=20, help="the first so many of the samples")
    given = parser.parse_args()
    rounds = given.rounds
    with tempfile.TemporaryDirectory(prefix="opal-bench-") as name:
        folder = Path(name)
        cases = enlarge(sample_cases(ROOT / "samples")[: given.photos], MEGAPIXELS, folder)
        rows = [endpoint_row(cases, folder, rounds)]
        rows += [export_row(cases, PRESETS[:count], rounds) for count in COUNTS]
    machine: dict[str, Any] = {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "photos": len(cases),
        "rounds": rounds,
        "rows": [asdict(each) for each in rows],
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{machine['cores']} cores, Python {machine['python']}, load average {machine['load_average'][0]}")
    print(f"{'':12}{'s':>8}{'CPU s':>8}{'spread':>8}")
    for each in rows:
        print(f"{each.stage:12}{each.seconds:8.2f}{each.cpu_seconds:8.2f}{each.cpu_spread:8.2f}")
    print(f"\n{RESULTS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
