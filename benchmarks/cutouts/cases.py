"""The photos that are cut out, each with its exact matte: the samples, or a folder of one's own."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyvips

from opal.images.decode import decode_photo
from opal.images.matte import Matte, encode_matte, read_matte

LARGE_PIXELS = 6_000_000
"""From here a photo counts as large."""
_PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"}


@dataclass(frozen=True, slots=True)
class Case:
    """One photo and the truth about it; `pixels` counts the upright photo's."""

    name: str
    kind: str
    photo: Path
    mask: Path
    pixels: int
    enlarged: bool = False

    @property
    def large(self) -> bool:
        """Whether it belongs to the photos of 6 megapixels or more."""
        return self.pixels >= LARGE_PIXELS


def read_truth(case: Case) -> Matte:
    """The exact matte. A mask with several bands counts by its alpha, or by its first band."""
    data = case.mask.read_bytes()
    image = pyvips.Image.new_from_buffer(data, "")
    if image.bands == 1:
        return read_matte(data)
    band = image[image.bands - 1] if image.hasalpha() else image[0]
    top = 65535.0 if band.format == "ushort" else 255.0
    truth: Matte = band.numpy().astype(np.float32) / np.float32(top)
    return truth


def sample_cases(samples: Path) -> list[Case]:
    """Every sample of the folder's `samples.toml` whose files are there; none without that file."""
    if not (samples / "samples.toml").is_file():
        return []
    index = tomllib.loads((samples / "samples.toml").read_text("utf-8"))
    cases = []
    for sample in index["sample"]:
        photo, mask = samples / sample["photo"], samples / sample["alpha"]
        if photo.is_file() and mask.is_file():
            width, height = sample["size"]
            cases.append(Case(sample["name"], sample["kind"], photo, mask, width * height))
    return cases


def folder_cases(photos: Path, masks: Path) -> list[Case]:
    """Every photo under `photos` with a PNG of the same stem under `masks`; its kind is its folder's name.

    Raises ValueError when no photo has a mask.
    """
    cases = []
    for photo in sorted(photos.rglob("*")):
        if photo.suffix.lower() not in _PHOTO_SUFFIXES:
            continue
        place = photo.relative_to(photos)
        mask = masks / place.with_suffix(".png")
        if not mask.is_file():
            mask = masks / f"{photo.stem}.png"
        if mask.is_file():
            header = pyvips.Image.new_from_file(str(photo))
            kind = place.parts[0] if len(place.parts) > 1 else "photos"
            cases.append(Case(str(place.with_suffix("")), kind, photo, mask, header.width * header.height))
    if not cases:
        raise ValueError(f"no photo under {photos} has a PNG of the same stem under {masks}")
    return cases


def enlarge(cases: Iterable[Case], megapixels: float, folder: Path) -> list[Case]:
    """Photos and masks resized up (bicubic) to about `megapixels`, written to `folder`; large ones left out.

    An enlarged photo is as sharp as the original was: softer than a camera's of that size.
    """
    made = []
    for case in cases:
        factor = (megapixels * 1e6 / case.pixels) ** 0.5
        if case.large or factor <= 1.0:
            continue
        photo, truth = decode_photo(case.photo), read_truth(case)
        large = photo.pixels.resize(factor, kernel="cubic")
        mask = pyvips.Image.new_from_array(truth).resize(factor, kernel="cubic")
        stem = case.name.replace("/", "-")
        photo_file, mask_file = folder / f"{stem}.jpg", folder / f"{stem}.png"
        large.jpegsave(str(photo_file), Q=95, subsample_mode="off")
        mask_file.write_bytes(encode_matte(np.clip(mask.numpy(), 0.0, 1.0)))
        made.append(
            replace(case, photo=photo_file, mask=mask_file, pixels=large.width * large.height, enlarged=True)
        )
    return made
