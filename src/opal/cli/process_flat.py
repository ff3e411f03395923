"""`opal process --flat`: folders as `rembg p` has them, a cut-out beside a cut-out and nothing else.

Called by `process.py`. The pictures are those of `/api/remove`.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import typer
from pydantic import BaseModel

from opal.cli.file_unusable import file_error
from opal.cli.photo_files import result_folders
from opal.cli.photo_progress import advance, photo_progress
from opal.cli.terminal import print_json, remarks
from opal.cli.weights import ensure_weights
from opal.cli.whole_file import write_whole
from opal.cutout.compute import Compute
from opal.cutout.engines import load_engine
from opal.cutout.interface import CutoutEngine
from opal.cutout_pictures.picture import make_picture
from opal.cutout_pictures.wanted import ORIGINAL, Channels, Colour, Wanted
from opal.decoder.pictures import decode_photo
from opal.errors import InvalidInput, OpalError, StorageFull
from opal.images.limits import Limits
from opal.settings import Settings

MODELS: dict[str, str] = {"isnet-general-use": "isnet"}
"""rembg's names of networks that Opal has, too."""


class FlatItem(BaseModel):
    """What became of one photo; `kept` is a picture that was there."""

    photo: str
    picture: str
    status: Literal["made", "kept", "failed"]
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class FlatLook:
    """A PNG of the photo's size: the product on nothing or a colour, or its mask."""

    only_mask: bool = False
    colour: Colour | None = None
    """Red, green, blue, alpha; 0 to 255."""

    def wanted(self) -> Wanted:
        """The same as `/api/remove` knows it. Raises InvalidInput for a colour that is none."""
        if self.colour is not None and not all(0 <= part <= 255 for part in self.colour):
            raise InvalidInput("--bgcolor: four numbers of 0 to 255.")
        channels: Channels = "alpha" if self.only_mask else "rgba"
        return Wanted(ORIGINAL, format="png", channels=channels, bg_color=self.colour)


def process_flat(
    photos: Sequence[Path], out: Path, wanted: Wanted, settings: Settings, workers: int
) -> list[FlatItem]:
    """Make OUT/<photo>.png of every photo that has none there. Raises StorageFull."""
    items, todo = [], []
    for photo, name in zip(photos, result_folders(photos), strict=True):
        picture = out / f"{name}.png"
        if picture.exists():
            items.append(FlatItem(photo=str(photo), picture=str(picture), status="kept"))
        else:
            todo.append((photo, picture))
    if not todo:
        return items
    ensure_weights(settings)
    engine = load_engine(settings.scoring.engine, settings.models_dir, Compute.of(settings.scoring))
    limits = Limits.of(settings.photo)
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with photo_progress() as progress, ThreadPoolExecutor(workers) as pool:
        bar = progress.add_task("", total=len(todo), rate="")
        running = [pool.submit(_make, photo, picture, wanted, engine, limits) for photo, picture in todo]
        try:
            for done, each in enumerate(as_completed(running), 1):
                items.append(each.result())
                advance(progress, bar, done, time.monotonic() - started)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return items


def _make(photo: Path, picture: Path, wanted: Wanted, engine: CutoutEngine, limits: Limits) -> FlatItem:
    try:
        decoded = decode_photo(photo, limits)
        made = make_picture(decoded, engine.cut_out(decoded).matte, wanted, None, sandbox=False)
        write_whole(picture, made.data)
    except OSError as fault:
        told: OpalError = file_error(fault)
        if isinstance(told, StorageFull):
            raise told from fault
    except OpalError as fault:
        told = fault
    else:
        return FlatItem(photo=str(photo), picture=str(picture), status="made")
    return FlatItem(
        photo=str(photo), picture=str(picture), status="failed", code=told.code, message=told.message
    )


def tell_flat(items: Sequence[FlatItem], out: Path, seconds: float, *, as_json: bool) -> bool:
    """Say what became of the photos; whether some failed."""
    failed = [item for item in items if item.status == "failed"]
    if as_json:
        print_json({"seconds": round(seconds, 2), "items": [item.model_dump() for item in items]})
        return bool(failed)
    for item in failed:
        remarks().print(f"{item.photo}: {item.message}", highlight=False, markup=False, soft_wrap=True)
    kept = sum(item.status == "kept" for item in items)
    done = f"{len(items) - len(failed)} of {len(items)} photos, {kept} of them there before"
    typer.echo(f"{done}, {seconds:.1f} s. Results in {out}/.")
    return bool(failed)
