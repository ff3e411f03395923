"""How long a bomb takes to be refused: every one of the tests', on a decoder that is running.

Each is given to `pictures.probe`, as web-api does with an upload, beside an ordinary photo. Wall time is from
the call to the refusal, so it has what other programs on the machine take; processor time and memory are the
child's own account. The bar is 100 ms and 64 MB. Prints a table; writes `benchmarks/results/bombs.json`.
"""

import argparse
import json
import os
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.unit.bombs import bombs, picture_of  # noqa: E402

from opal.decoder import pictures  # noqa: E402
from opal.decoder.client import Decoder  # noqa: E402
from opal.errors import InvalidPhoto  # noqa: E402
from opal.images.limits import Limits  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "bombs.json"
LIMITS = Limits()
BAR_MS = 100
BAR_MB = 64


@dataclass(frozen=True, slots=True)
class Row:
    """One file: medians over the rounds, except for the longest."""

    name: str
    code: str
    megabytes: float
    wall_ms: float
    longest_ms: float
    cpu_ms: float
    memory_mb: float
    load: float
    """The machine's load average of the last minute, when this was measured."""


def measure(rounds: int) -> list[Row]:
    """Every bomb, and last a photo of the same way."""
    with Decoder() as decoder:
        photo = picture_of(2000)
        # The first one waits for the zygote.
        pictures.probe(photo, LIMITS, decoder)
        rows = [_row(decoder, name, make(), rounds) for name, (make, _) in bombs().items()]
        return [*rows, _row(decoder, "an ordinary photo", photo, rounds)]


def _row(decoder: Decoder, name: str, data: bytes, rounds: int) -> Row:
    seconds = []
    code = ""
    for _ in range(rounds):
        begun = time.perf_counter()
        try:
            pictures.probe(data, LIMITS, decoder)
        except InvalidPhoto as error:
            code = error.code
        seconds.append(time.perf_counter() - begun)
    ends = [decoder.run("header", data, LIMITS).verdict for _ in range(rounds)]
    return Row(
        name=name,
        code=code,
        megabytes=len(data) / 1e6,
        wall_ms=statistics.median(seconds) * 1000,
        longest_ms=max(seconds) * 1000,
        cpu_ms=statistics.median(end.cpu_s for end in ends) * 1000,
        memory_mb=max(end.memory for end in ends) / 1e6,
        load=os.getloadavg()[0],
    )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    rows = measure(parser.parse_args().rounds)
    print(f"{'':34}{'MB':>7}{'wall ms':>9}{'longest':>9}{'CPU ms':>8}{'held MB':>9}{'load':>7}  refused with")
    for row in rows:
        print(
            f"{row.name:34}{row.megabytes:>7.2f}{row.wall_ms:>9.1f}{row.longest_ms:>9.1f}"
            f"{row.cpu_ms:>8.1f}{row.memory_mb:>9.1f}{row.load:>7.1f}  {row.code}"
        )
    late = [row.name for row in rows if row.wall_ms > BAR_MS or row.memory_mb > BAR_MB]
    print(f"beyond {BAR_MS} ms or {BAR_MB} MB: {', '.join(late) or 'none'}; {os.cpu_count()} cores")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(row) for row in rows], indent=2), "utf-8")


if __name__ == "__main__":
    main()
