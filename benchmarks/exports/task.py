"""What every side is asked for: which pictures, how large, and where the product stands in them."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from opal.export_worker.create_variants import Source, make_picture
from opal.images.decode import decode_photo
from opal.images.encode import Chroma
from opal.images.geometry import Box
from opal.images.matte import read_matte
from opal.marketplaces.presets import resolve_presets
from opal.placement.placement import Placement
from opal.placement.scene import SolidScene

SEED = 0
PRESETS = (
    "amazon-main",
    "square-1x1",
    "ebay-listing",
    "google-merchant",
    "pinterest-pin",
    "instagram-portrait",
    "tiktok-shop-main",
    "instagram-square",
)
"""The eight: 1080 to 2000 pixels, JPEG of quality 95, on white."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One picture: its canvas, the product's box on it, how its JPEG is made, and where its file goes."""

    preset: str
    width: int
    height: int
    quality: int
    chroma: Chroma
    """As Opal's measurement chose it."""
    product: Box
    out: str


@dataclass(frozen=True, slots=True)
class Task:
    """One photo with its matte, the product's box in it, and the pictures."""

    photo: str
    matte: str
    box: Box
    pictures: tuple[Wanted, ...]

    def for_side(self, side: str, folder: Path) -> dict[str, Any]:
        """As JSON, with files of the side's own; sharp reads `left` and `top` beside the canvas."""
        document = asdict(self)
        for picture in document["pictures"]:
            picture["out"] = str(folder / f"{side}-{picture['preset']}.jpg")
            picture |= {key: picture["product"][key] for key in ("left", "top")}
        return document

    @classmethod
    def read(cls, document: dict[str, Any]) -> Self:
        """From `for_side`'s JSON."""
        pictures = [
            Wanted(
                **{key: each[key] for key in ("preset", "width", "height", "quality", "chroma", "out")},
                product=Box(**each["product"]),
            )
            for each in document["pictures"]
        ]
        return cls(document["photo"], document["matte"], Box(**document["box"]), tuple(pictures))


def plan(photo: Path, matte: Path) -> Task:
    """The eight pictures of a photo, the product where Opal would place it."""
    placement = Placement()
    decoded = decode_photo(photo)
    source = Source.of(decoded, read_matte(matte.read_bytes()), placement, SolidScene())
    pictures = []
    for preset in resolve_presets(list(PRESETS)):
        made = make_picture(source, placement, preset, seed=SEED)
        height, width = made.composition.alpha.shape
        pictures.append(
            Wanted(
                *(preset.name, width, height, preset.quality, made.encoded.chroma),
                product=made.composition.product_box,
                out="",
            )
        )
    return Task(str(photo.absolute()), str(matte.absolute()), source.product.box, tuple(pictures))
