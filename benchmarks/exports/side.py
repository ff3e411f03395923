"""Opal's and Pillow's way from a photo and its matte to the pictures of `variants.py`.

Started by it as `python -m benchmarks.exports.side NAME`. A line of JSON names photo, matte and pictures; a
line answers with seconds and CPU seconds. Reading and writing files is not timed.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

from benchmarks.exports.task import SEED, Task

THREADS = 2

Make = Callable[[bytes, bytes, Task], list[bytes]]
"""A photo's and a matte's bytes and what to make of them, to the pictures in the task's order."""


def opal_side(*, reports: bool) -> Make:
    """Opal's own variants: with the two reports that it always makes, or the pictures alone."""
    from opal.export_worker.create_variants import Source, create_variants, make_picture  # noqa: PLC0415
    from opal.images.decode import decode_photo  # noqa: PLC0415
    from opal.images.matte import read_matte  # noqa: PLC0415
    from opal.marketplaces.presets import resolve_presets  # noqa: PLC0415
    from opal.placement.placement import Placement  # noqa: PLC0415
    from opal.placement.scene import SolidScene  # noqa: PLC0415

    scene, placement = SolidScene(), Placement()

    def make(photo: bytes, matte: bytes, task: Task) -> list[bytes]:
        presets = resolve_presets([picture.preset for picture in task.pictures])
        decoded, cut = decode_photo(photo), read_matte(matte)
        if reports:
            made = create_variants(decoded, cut, scene, placement, presets, seed=SEED, workers=THREADS)
            return [variant.data for variant in made]
        source = Source.of(decoded, cut, placement, scene)
        with ThreadPoolExecutor(THREADS) as pool:
            return list(
                pool.map(
                    lambda preset: make_picture(source, placement, preset, seed=SEED).data,
                    presets,
                )
            )

    return make


def pillow_side() -> Make:
    """Pillow, as a careful script would: decoded and cut once, alpha premultiplied, two threads."""
    from PIL import Image, ImageCms  # noqa: PLC0415

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    def make(photo: bytes, matte: bytes, task: Task) -> list[bytes]:
        box = task.box
        cut = (box.left, box.top, box.left + box.width, box.top + box.height)
        alpha = Image.open(BytesIO(matte)).crop(cut).convert("L")
        product = Image.open(BytesIO(photo)).convert("RGB").crop(cut)
        product.putalpha(alpha)
        premultiplied = product.convert("RGBa")

        def one(index: int) -> bytes:
            picture = task.pictures[index]
            size = (picture.product.width, picture.product.height)
            resized = premultiplied.resize(size, Image.Resampling.LANCZOS).convert("RGBA")
            canvas = Image.new("RGB", (picture.width, picture.height), "#ffffff")
            canvas.paste(resized, (picture.product.left, picture.product.top), resized)
            out = BytesIO()
            canvas.save(out, "JPEG", quality=picture.quality, subsampling=picture.chroma, icc_profile=profile)
            return out.getvalue()

        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(one, range(len(task.pictures))))

    return make


_SIDES: dict[str, Callable[[], Make]] = {
    "opal": lambda: opal_side(reports=True),
    "opal-pictures": lambda: opal_side(reports=False),
    "pillow": pillow_side,
}


def main(names: Sequence[str] | None = None) -> None:
    """Load, say so, then answer task after task until stdin ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=sorted(_SIDES))
    make = _SIDES[parser.parse_args(names).side]()
    # Whatever a library prints must not end up between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        task = Task.read(json.loads(line))
        photo, matte = Path(task.photo).read_bytes(), Path(task.matte).read_bytes()
        cpu, started = time.process_time(), time.perf_counter()
        made = make(photo, matte, task)
        answer: dict[str, Any] = {
            "seconds": time.perf_counter() - started,
            "cpu_seconds": time.process_time() - cpu,
        }
        for picture, data in zip(task.pictures, made, strict=True):
            Path(picture.out).write_bytes(data)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
