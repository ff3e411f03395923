"""One maker of cut-outs in a process of its own, so that its memory is its own.

Started by `makers.py` as `python -m benchmarks.cutouts.maker NAME`. A line of JSON on stdin names a photo and
where its PNG goes; a line on stdout answers with seconds, CPU seconds, peak memory and seconds per step.
"""

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

_STATUS, _CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")

Make = Callable[[bytes], tuple[bytes, dict[str, Any]]]
"""A photo's bytes to the cut-out's PNG and what else is known: `steps`, and `left`, `top` of its frame."""


def opal_maker(engine_name: str) -> Make:
    """Opal's own way to the preset cutout-png, without the two reports it also makes."""
    from opal.cutout.compute import Compute  # noqa: PLC0415
    from opal.cutout.engines import load_engine  # noqa: PLC0415 - each process loads one side only
    from opal.images.decode import decode_photo  # noqa: PLC0415
    from opal.images.encode import encode  # noqa: PLC0415
    from opal.placement.place import compose  # noqa: PLC0415
    from opal.placement.placement import Placement  # noqa: PLC0415
    from opal.placement.product import Product  # noqa: PLC0415
    from opal.placement.scene import TransparentScene  # noqa: PLC0415
    from opal.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    engine = load_engine(engine_name, settings.models_dir, Compute.of(settings.scoring))
    native = Placement(margin=0.0, shadow="none")

    def make(data: bytes) -> tuple[bytes, dict[str, Any]]:
        started = time.perf_counter()
        photo = decode_photo(data)
        decoded = time.perf_counter()
        cutout = engine.cut_out(photo)
        cut = time.perf_counter()
        product = Product.of(photo, cutout.matte)
        width, height = product.box.width + 2, product.box.height + 2
        made = compose(product, TransparentScene(), native, width, height, seed=0)
        composed = time.perf_counter()
        png = encode(made.pixels, "png")
        ended = time.perf_counter()
        steps = {
            "decode": decoded - started,
            **cutout.timings,
            "compose": composed - cut,
            "encode": ended - composed,
        }
        place = {"left": -round(made.transform.tx), "top": -round(made.transform.ty)}
        return png, {"steps": steps, "confidence": cutout.confidence, **place}

    return make


def rembg_maker(weights: Path) -> Make:
    """rembg with the same weights, through its own session class for IS-Net files and its own `remove`."""
    # rembg takes a file of one's own only from its own folder.
    os.environ["REMBG_HOME"] = str(weights.parent)
    from rembg import new_session, remove  # noqa: PLC0415

    session = new_session("dis_custom", model_path=str(weights), providers=["CPUExecutionProvider"])

    def make(data: bytes) -> tuple[bytes, dict[str, Any]]:
        return remove(data, session=session), {"steps": {}, "left": 0, "top": 0}

    return make


def peak_mib() -> float:
    """The process's largest memory since `forget_peak`, MiB; since its start where that is not known."""
    with suppress(OSError):
        for line in _STATUS.read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def forget_peak() -> None:
    """Start a new peak (Linux; elsewhere the peak stays that of the whole life)."""
    with suppress(OSError):
        _CLEAR_REFS.write_text("5", "ascii")


def answer(make: Make, task: dict[str, str]) -> dict[str, Any]:
    """Make one cut-out and say what it took; reading and writing files is not timed."""
    data = Path(task["photo"]).read_bytes()
    forget_peak()
    cpu, started = time.process_time(), time.perf_counter()
    try:
        png, known = make(data)
    except Exception as error:  # a photo that one side cannot do must not end the comparison
        return {"failed": f"{type(error).__name__}: {error}", "peak_mib": peak_mib()}
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = peak_mib()
    Path(task["out"]).write_bytes(png)
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_mib": peak, "png_bytes": len(png), **known}


def main() -> None:
    """Load, say so, then answer task after task until stdin ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=("opal", "rembg"))
    parser.add_argument("what", help="opal: the engine; rembg: the weights' file")
    given = parser.parse_args()
    make = opal_maker(given.what) if given.side == "opal" else rembg_maker(Path(given.what))
    # Whatever a library prints must not end up between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    print(json.dumps({"ready": True, "peak_mib": peak_mib()}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(make, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
