"""Renders the sample photos and their alphas: `python samples/render.py [--missing] [--only NAME]`."""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from studio import tracing
from studio.cache import cache_folder, is_rendered, still_missing, unfinished, whole
from studio.encoding import save_alpha, save_photo
from studio.finishing import develop
from studio.index import entry, read_index, write_index
from studio.model import Shot
from studio.shots import SHIPPED, SHOTS

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Reads the command line and does what it asks for."""
    parser = _parser()
    options = parser.parse_args()
    tracing.choose_variant(options.variant)
    unknown = set(options.only or ()) - set(SHOTS)
    if unknown:
        parser.error(f"no such photo: {', '.join(sorted(unknown))}; there are {', '.join(SHOTS)}")
    if options.list:
        write_index([entry(build(), name in SHIPPED) for name, build in SHOTS.items()], HERE)
        return
    if options.missing:
        if options.draft or options.scale != 1.0 or options.spp:
            parser.error("--missing renders in full; leave out --draft, --scale and --spp")
        fill(options.out or cache_folder(), options.only)
        return
    for name in options.only or SHIPPED:
        started = time.monotonic()
        photograph(SHOTS[name](), options.out or HERE, options.spp, options.scale, options.draft)
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)


def _parser() -> argparse.ArgumentParser:
    """The options; `--help` shows them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--missing", action="store_true", help="those that are not shipped and not rendered yet, into a cache"
    )
    parser.add_argument("--only", action="append", metavar="NAME", help="this photo; may be given again")
    parser.add_argument("--out", type=Path, help="folder for photos/ and alpha/ instead of here or the cache")
    parser.add_argument("--spp", type=int, help="samples per pixel instead of each photo's own")
    parser.add_argument("--scale", type=float, default=1.0, help="size factor, for drafts")
    parser.add_argument("--list", action="store_true", help="render nothing, only write samples.toml")
    parser.add_argument("--draft", action="store_true", help="write PNG without an alpha")
    parser.add_argument(
        "--variant", default="scalar_rgb", help="Mitsuba variant; llvm_ad_rgb is faster with LLVM"
    )
    return parser


def fill(cache: Path, only: Sequence[str] | None = None) -> None:
    """Renders what the list has, the repository has not and the cache lacks; may be stopped and run again."""
    listed = read_index(HERE)
    names = [name for name in still_missing(listed, cache) if name in (only or SHOTS)]
    cache.mkdir(parents=True, exist_ok=True)
    print(f"{len(names)} to render into {cache}", flush=True)
    for number, name in enumerate(names, 1):
        started = time.monotonic()
        print(f"{number} of {len(names)}: {name} …", end=" ", flush=True)
        photograph(SHOTS[name](), cache, None, 1.0, draft=False)
        write_index([s for s in listed if not s["shipped"] and is_rendered(s, cache)], cache)
        print(f"{time.monotonic() - started:.0f} s", flush=True)


def photograph(shot: Shot, out: Path, spp: int | None, scale: float, draft: bool) -> None:
    """One photo and its alpha, written under `out`."""
    size = (round(shot.size[0] * scale), round(shot.size[1] * scale))
    encoding = replace(shot.encoding, suffix="png", orientation=1) if draft else shot.encoding
    if not draft:
        alpha = out / "alpha" / f"{shot.name}.png"
        save_alpha(tracing.coverage(shot, size, 96), unfinished(alpha))
        whole(alpha)
    light = tracing.render(shot, size, spp or shot.spp)
    picture = develop(light, shot.finish, seed=sum(shot.name.encode()))
    photo = out / "photos" / f"{shot.name}.{encoding.suffix}"
    save_photo(picture, unfinished(photo), encoding)
    whole(photo)


if __name__ == "__main__":
    main()
