"""How many cut-outs per second over HTTP, and in how much memory: `POST /v1.0/removebg` beside `rembg s`.

Both servers have the same weights, photos and cores, and take turns: while one is asked the other one idles.
Prints tables; writes `benchmarks/results/cutout_api.json`.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.apis.load import Measured, ask, joined  # noqa: E402
from benchmarks.apis.servers import Server, opal_server, rembg_server  # noqa: E402
from benchmarks.peers.growth import growth  # noqa: E402

from opal.cutout.models import model_spec, verify_model  # noqa: E402
from opal.settings import load_settings  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "cutout_api.json"
REMBG = ROOT / ".venv-rembg" / "bin" / "rembg"
CLIENTS = (1, 4, 16)
MEMORY_CLIENTS = 4
WARM_UP_SHARE = 0.2
"""First part of the requests of the memory run, after which readings count."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to run."""

    requests: int
    rounds: int
    memory_requests: int
    cores: int
    rembg: Path | None
    photos: Path


def read_options() -> Options:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=48, help="per server and number of clients")
    parser.add_argument("--rounds", type=int, default=3, help="turns in which they are sent")
    parser.add_argument("--memory-requests", type=int, default=500, help="per server; 0: none")
    parser.add_argument("--cores", type=int, default=2, help="that servers and clients share (Linux)")
    parser.add_argument("--photos", type=Path, default=ROOT / "samples" / "photos", help="a folder of JPEGs")
    parser.add_argument("--rembg", type=Path, default=REMBG, help="rembg's program, in its own environment")
    parser.add_argument("--no-rembg", action="store_true", help="measure Opal alone")
    parser.add_argument("--quick", action="store_true", help="16 requests in one turn, 60 for the memory")
    given = parser.parse_args()
    if not given.no_rembg and not given.rembg.exists():
        parser.error(f"there is no {given.rembg}; `make bench` installs it, --no-rembg goes without")
    return Options(
        requests=16 if given.quick else given.requests,
        rounds=1 if given.quick else given.rounds,
        memory_requests=60 if given.quick else given.memory_requests,
        cores=given.cores,
        rembg=None if given.no_rembg else given.rembg,
        photos=given.photos,
    )


def throughput(servers: Sequence[Server], photos: Sequence[bytes], options: Options) -> list[dict[str, Any]]:
    """A row per number of clients and server."""
    rows = []
    for clients in CLIENTS:
        parts: dict[str, list[Measured]] = {server.name: [] for server in servers}
        for number in range(options.rounds):
            for server in servers:
                share = -(-options.requests // options.rounds)
                parts[server.name].append(ask(server, photos, clients=clients, requests=share))
                _say(f"{clients} clients, round {number + 1}, {server.name}: ", parts[server.name][-1])
        rows += [_row(clients, name, joined(done)) for name, done in parts.items()]
    return rows


def _row(clients: int, name: str, done: Measured) -> dict[str, Any]:
    return {
        "clients": clients,
        "server": name,
        "requests": done.requests,
        "pictures_per_s": round(done.per_second, 3),
        "cpu_s_per_picture": round(done.cpu_s / done.requests, 3),
        **{f"p{percent}_s": round(done.percentile(percent), 3) for percent in (50, 95)},
        "latencies_s": [round(seconds, 4) for seconds in done.latencies],
    }


def memory(server: Server, photos: Sequence[bytes], options: Options) -> dict[str, Any]:
    """What the server holds after each of its answers, and a line through that."""
    readings: list[float] = []
    done = ask(
        server,
        photos,
        clients=MEMORY_CLIENTS,
        requests=options.memory_requests,
        answered=lambda: readings.append(server.memory_mib()),
    )
    _say(f"memory, {server.name}: ", done)
    counted = readings[round(WARM_UP_SHARE * len(readings)) :]
    line = growth(counted)
    return {
        "server": server.name,
        "requests": len(readings),
        "first_mib": round(statistics.median(readings[: len(readings) - len(counted)]), 1),
        "last_mib": round(statistics.median(readings[-(len(readings) - len(counted)) :]), 1),
        "most_mib": round(max(readings), 1),
        **asdict(line),
        "grows": line.grows,
        "readings_mib": [round(held, 2) for held in readings],
    }


def _say(what: str, done: Measured) -> None:
    load = os.getloadavg()[0]
    print(f"{what}{done.per_second:.2f} pictures/s, load average {load:.1f}", file=sys.stderr, flush=True)


def measure(options: Options) -> dict[str, Any]:
    """Start both servers, ask them in turn, and gather the figures."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: options.cores]))
    photos = [file.read_bytes() for file in sorted(options.photos.glob("*.jpg"))]
    if not photos:
        raise SystemExit(f"There are no JPEGs in {options.photos}.")
    before = os.getloadavg()
    settings = load_settings()
    scoring = settings.scoring
    weights = verify_model(model_spec("isnet"), settings.models_dir)
    with tempfile.TemporaryDirectory(prefix="opal-api-") as text:
        folder = Path(text)
        with opal_server(folder / "data") as opal:
            if options.rembg is None:
                rows, held = _both([opal], photos, options)
            else:
                with rembg_server(options.rembg, weights, folder) as rembg:
                    rows, held = _both([opal, rembg], photos, options)
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "used": options.cores,
            "python": platform.python_version(),
            "load_average_before": [round(load, 2) for load in before],
            "load_average_after": [round(load, 2) for load in os.getloadavg()],
        },
        "versions": {"opal": version("opal"), "openvino": version("openvino")},
        "weights": model_spec("isnet").sha256,
        "opal": {"precision": scoring.precision, "concurrency": scoring.concurrency},
        "photos": len(photos),
        "throughput": rows,
        "memory": held,
        "bars": bars(rows, held),
    }


def _both(
    servers: Sequence[Server], photos: Sequence[bytes], options: Options
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    for server in servers:  # warm: the first requests load models and meet every size of photo
        ask(server, photos, clients=1, requests=len(photos))
    rows = throughput(servers, photos, options)
    held = [memory(server, photos, options) for server in servers] if options.memory_requests else []
    return rows, held


def bars(rows: Sequence[dict[str, Any]], held: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is wanted, and whether it was met."""
    found: list[dict[str, Any]] = []
    by = {(row["clients"], row["server"]): row for row in rows}
    for clients in CLIENTS:
        ours, theirs = by[clients, "opal"], by.get((clients, "rembg"))
        if theirs is None:
            continue
        times = ours["pictures_per_s"] / theirs["pictures_per_s"]
        if clients == MEMORY_CLIENTS:
            wanted = "pictures/s at 4 clients at least 2 × rembg's"
            found.append({"wanted": wanted, "measured": f"{times:.2f} ×", "met": times >= 2.0})
        told = f"{ours['p95_s']:.2f} s against {theirs['p50_s']:.2f} s"
        wanted = f"{clients} clients: our p95 no worse than rembg's p50"
        found.append({"wanted": wanted, "measured": told, "met": ours["p95_s"] <= theirs["p50_s"]})
    for each in held:
        if each["server"] == "opal":
            told = f"{each['kib_per_item']:+.1f} ± {each['error']:.1f} KiB, {each['share']:+.1%} over the run"
            wanted = f"memory flat over {each['requests']} requests"
            found.append({"wanted": wanted, "measured": told, "met": not each["grows"]})
    return found


def show(gathered: dict[str, Any]) -> None:
    """Print the figures as tables."""
    machine = gathered["machine"]
    loads = machine["load_average_before"][0], machine["load_average_after"][0]
    print(
        f"{machine['used']} of {machine['cores']} cores, Python {machine['python']},"
        f" load average {loads[0]} before, {loads[1]} after"
    )
    print(f"{gathered['photos']} photos; Opal computes in {gathered['opal']['precision']}")
    print(
        f"\n{'clients':>7} {'server':8}{'requests':>9}{'pictures/s':>12}{'CPU s':>8}{'p50 s':>8}{'p95 s':>8}"
    )
    for row in gathered["throughput"]:
        print(
            f"{row['clients']:7} {row['server']:8}{row['requests']:9}{row['pictures_per_s']:12.2f}"
            f"{row['cpu_s_per_picture']:8.2f}{row['p50_s']:8.2f}{row['p95_s']:8.2f}"
        )
    if gathered["memory"]:
        print(f"\n{'MiB':8}{'requests':>9}{'first':>8}{'last':>8}{'most':>8}", end="")
        print(f"{'slope KiB each':>18}{'over the run':>14}")
    for row in gathered["memory"]:
        slope = f"{row['kib_per_item']:+.1f} ± {row['error']:.1f}"
        print(
            f"{row['server']:8}{row['requests']:9}{row['first_mib']:8.0f}{row['last_mib']:8.0f}"
            f"{row['most_mib']:8.0f}{slope:>18}{row['share']:>+14.1%}"
        )
    print()
    for bar in gathered["bars"]:
        print(f"{'yes' if bar['met'] else 'NO ':4}{bar['wanted']:52}{bar['measured']}")


def main() -> None:
    """Run, print, store."""
    gathered = measure(read_options())
    show(gathered)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(gathered, indent=2) + "\n")
    print(f"\n{RESULTS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
