"""Renders the sample photos and their alphas: `python samples/render.py [--only NAME] [--out DIR]`."""

import argparse
import time
from dataclasses import replace
from pathlib import Path

from studio import tracing
from studio.encoding import save_alpha, save_photo
from studio.finishing import develop
from studio.index import write_index
from studio.model import Shot
from studio.shots import SHOTS

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Reads the command line, renders what it asks for and writes the list beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="just this photo; may be given again")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for photos/, alpha/ and samples.toml")
    parser.add_argument("--spp", type=int, help="samples per pixel instead of each photo's own")
    parser.add_argument("--scale", type=float, default=1.0, help="size factor, for drafts")
    parser.add_argument("--list", action="store_true", help="render nothing, only write samples.toml")
    parser.add_argument("--draft", action="store_true", help="write PNG without an alpha")
    parser.add_argument(
        "--variant", default="scalar_rgb", help="Mitsuba variant; llvm_ad_rgb is faster with LLVM"
    )
    options = parser.parse_args()
    tracing.choose_variant(options.variant)
    unknown = set(options.only or ()) - set(SHOTS)
    if unknown:
        parser.error(f"no such photo: {', '.join(sorted(unknown))}; there are {', '.join(SHOTS)}")
    made: list[Shot] = []
    for name, build in SHOTS.items():
        if options.only and name not in options.only and not options.list:
            continue
        started = time.monotonic()
        shot = build()
        if not options.list:
            photograph(shot, options.out, options.spp, options.scale, options.draft)
            print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
        # The list needs no geometry, which would be much to keep for nothing.
        made.append(replace(shot, parts=(), environment=shot.environment[:0]))
    if options.list or not (options.draft or options.only):
        write_index(made, options.out)


def photograph(shot: Shot, out: Path, spp: int | None, scale: float, draft: bool) -> None:
    """One photo and its alpha, written under `out`."""
    size = (round(shot.size[0] * scale), round(shot.size[1] * scale))
    light = tracing.render(shot, size, spp or shot.spp)
    picture = develop(light, shot.finish, seed=sum(shot.name.encode()))
    (out / "photos").mkdir(parents=True, exist_ok=True)
    (out / "alpha").mkdir(parents=True, exist_ok=True)
    encoding = replace(shot.encoding, suffix="png", orientation=1) if draft else shot.encoding
    save_photo(picture, out / "photos" / f"{shot.name}.{encoding.suffix}", encoding)
    if not draft:
        save_alpha(tracing.coverage(shot, size, 96), out / "alpha" / f"{shot.name}.png")


if __name__ == "__main__":
    main()
